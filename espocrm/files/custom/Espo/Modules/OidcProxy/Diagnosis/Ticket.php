<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Diagnosis;

use SensitiveParameter;

/**
 * The callback needs no login, and tells an administrator alone what it makes of an assertion: by this, which only
 * administrators get. It is good for nothing else.
 */
final class Ticket
{
    private const LIFETIME = 60;
    private const PURPOSE = 'oidc-proxy test ticket 1';

    public static function make(#[SensitiveParameter] string $secret, int $now): string
    {
        $expires = (string) ($now + self::LIFETIME);

        return $expires . '.' . self::sign($secret, $expires);
    }

    public static function isGood(#[SensitiveParameter] string $secret, string $ticket, int $now): bool
    {
        [$expires, $signature] = [...explode('.', $ticket, 2), ''];

        return
            preg_match('/^\d{1,12}$/D', $expires) &&
            hash_equals(self::sign($secret, $expires), $signature) &&
            $now < (int) $expires;
    }

    /**
     * With a key of its own, as BindTicket does it.
     */
    private static function sign(#[SensitiveParameter] string $secret, string $text): string
    {
        return hash_hmac('sha256', $text, hash_hmac('sha256', self::PURPOSE, $secret, true));
    }
}
