<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\SignIn;

use Espo\Modules\OidcProxy\Authentication\Identity;
use JsonException;
use SensitiveParameter;

/**
 * Tells EspoCRM again, a little later, who was refused: the page of the refusal keeps it, and the owner of the user
 * hands it back together with the password. It lets nobody in by itself, and is good only in the session of the proxy
 * that was refused: the next person at the browser must not bind a user to the one before.
 */
final class BindTicket
{
    private const LIFETIME = 600;
    private const PURPOSE = 'oidc-proxy bind ticket 3';

    private function __construct(
        private string $userId,
        private Identity $identity,
    ) {}

    public static function make(
        #[SensitiveParameter] string $secret,
        string $userId,
        Identity $identity,
        string $session,
        int $now
    ): string {

        $data = [$userId, $identity->getIssuer(), $identity->getSubject(), $session, $now + self::LIFETIME];
        $text = base64_encode(json_encode($data, JSON_THROW_ON_ERROR));

        return $text . '.' . self::sign($secret, $text);
    }

    /**
     * @return ?self Null if it was not made here, is too old, or was made in another session.
     */
    public static function open(
        #[SensitiveParameter] string $secret,
        string $ticket,
        string $session,
        int $now
    ): ?self {

        $parts = explode('.', $ticket);

        if (count($parts) !== 2 || !hash_equals(self::sign($secret, $parts[0]), $parts[1])) {
            return null;
        }

        try {
            $data = json_decode((string) base64_decode($parts[0], true), true, 2, JSON_THROW_ON_ERROR);
        } catch (JsonException) {
            return null;
        }

        [$userId, $issuer, $subject, $madeIn, $expires] = $data;

        $identity = Identity::create($issuer, $subject);

        return $identity && $madeIn === $session && $now < $expires ? new self($userId, $identity) : null;
    }

    public function getUserId(): string
    {
        return $this->userId;
    }

    public function getIdentity(): Identity
    {
        return $this->identity;
    }

    /**
     * With a key of its own: what is signed here must never pass for anything else that EspoCRM signs, or the other way
     * round.
     */
    private static function sign(#[SensitiveParameter] string $secret, string $text): string
    {
        return hash_hmac('sha256', $text, hash_hmac('sha256', self::PURPOSE, $secret, true));
    }
}
