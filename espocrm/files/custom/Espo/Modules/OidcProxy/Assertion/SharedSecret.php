<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Assertion;

use SensitiveParameter;

/**
 * The line in the key file of the proxy (HS256). Whoever has it can make assertions.
 */
final class SharedSecret implements Key
{
    public const MIN_LENGTH = 32;

    private const ALGORITHM = 'HS256';

    private string $secret;

    /**
     * @throws Refused It is too short.
     */
    public function __construct(#[SensitiveParameter] string $secret)
    {
        if (!self::isUsable($secret)) {
            throw new Refused(Reason::SecretNotSet,
                "the proxy secret is not set, or has fewer than " . self::MIN_LENGTH . " characters");
        }

        $this->secret = self::toLine($secret);
    }

    public static function isUsable(#[SensitiveParameter] string $secret): bool
    {
        return strlen(self::toLine($secret)) >= self::MIN_LENGTH;
    }

    public function verify(mixed $algorithm, mixed $id, string $input, string $signature): void
    {
        if ($algorithm !== self::ALGORITHM) {
            throw new Refused(Reason::Algorithm,
                "the assertion is signed with " . Refused::quote($algorithm) . ", not " . self::ALGORITHM .
                "; other algorithms need the public keys of the proxy");
        }

        if (!hash_equals(hash_hmac('sha256', $input, $this->secret, true), $signature)) {
            throw new Refused(Reason::Signature, "the signature was not made with the proxy secret set here");
        }
    }

    /**
     * The proxy takes the line of its key file, without the end of the line.
     */
    private static function toLine(#[SensitiveParameter] string $secret): string
    {
        return rtrim($secret, "\r\n");
    }
}
