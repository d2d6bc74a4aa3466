<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

/**
 * Makes assertions as the proxy does, and every kind of wrong ones.
 */
final class AssertionFactory
{
    public const SECRET = '0123456789abcdef0123456789abcdef';
    public const SITE = 'https://crm.example.com';
    public const NOW = 1800000000;

    /**
     * @param array<string, mixed> $changes Null removes a claim.
     * @param array<string, mixed> $header
     */
    public static function create(
        array $changes = [],
        array $header = ['alg' => 'HS256', 'typ' => 'JWT'],
        string $secret = self::SECRET,
    ): string {

        return self::sign(json_encode($header), json_encode((object) self::claims($changes)), $secret);
    }

    public static function sign(string $header, string $payload, string $secret = self::SECRET): string
    {
        $input = self::encode($header) . '.' . self::encode($payload);

        return $input . '.' . self::encode(hash_hmac('sha256', $input, $secret, true));
    }

    public static function encode(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }

    /**
     * @param array<string, mixed> $changes
     * @return array<string, mixed>
     */
    private static function claims(array $changes): array
    {
        $claims = array_merge([
            'iss' => self::SITE,
            'aud' => self::SITE,
            'sub' => 'subject-1',
            'iat' => self::NOW,
            'exp' => self::NOW + 60,
            'jti' => 'id-1',
            'idp' => 'https://idp.example.com',
            'preferred_username' => 'alice',
            'groups' => ['sales', 'support'],
        ], $changes);

        return array_filter($claims, fn ($value) => $value !== null);
    }
}
