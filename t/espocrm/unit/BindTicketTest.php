<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Authentication\Identity;
use Espo\Modules\OidcProxy\SignIn\BindTicket;
use PHPUnit\Framework\TestCase;

final class BindTicketTest extends TestCase
{
    private const SECRET = 'a-secret-of-the-tests-0123456789-abc';
    private const SESSION = '5e55100000000001';
    private const NOW = 1_800_000_000;

    private static function identity(string $subject): Identity
    {
        $identity = Identity::create('https://idp.example', $subject);

        self::assertNotNull($identity);

        return $identity;
    }

    private function make(string $secret = self::SECRET): string
    {
        return BindTicket::make($secret, '64ab', self::identity('sübject|1.2'), self::SESSION, self::NOW);
    }

    public function testIsOpenedForTenMinutes(): void
    {
        foreach ([0, 599] as $age) {
            $ticket = BindTicket::open(self::SECRET, $this->make(), self::SESSION, self::NOW + $age);

            $this->assertSame('64ab', $ticket?->getUserId());
            $this->assertSame('sübject|1.2', $ticket->getIdentity()->getSubject());
            $this->assertSame('https://idp.example', $ticket->getIdentity()->getIssuer());
        }

        foreach ([600, 86400] as $age) {
            $this->assertNull(BindTicket::open(self::SECRET, $this->make(), self::SESSION, self::NOW + $age));
        }
    }

    public function testIsOpenedInItsSessionOnly(): void
    {
        foreach (['5e55100000000002', strtoupper(self::SESSION), self::SESSION . ' ', ' ' . self::SESSION,
            substr(self::SESSION, 1), ''] as $other) {
            $this->assertNull(BindTicket::open(self::SECRET, $this->make(), $other, self::NOW));
        }

        // What says nothing of a session belongs to none.
        $ticket = BindTicket::make(self::SECRET, '64ab', self::identity('s'), '', self::NOW);

        $this->assertNull(BindTicket::open(self::SECRET, $ticket, self::SESSION, self::NOW));
    }

    public function testNothingElseIsOpened(): void
    {
        $ticket = $this->make();
        [$text, $mac] = explode('.', $ticket);

        $other = base64_encode((string) json_encode(['64ac', 'https://idp.example', 's', self::SESSION, self::NOW + 600]));
        // Signed with the secret itself, as an assertion is.
        $likeAnAssertion = hash_hmac('sha256', $text, self::SECRET);

        foreach (['', '.', $text, "$text.", ".$mac", "$other.$mac", "$ticket.x", "$text.$likeAnAssertion",
            "$text." . strtoupper($mac), $this->make(self::SECRET . 'x')] as $forged) {
            $this->assertNull(BindTicket::open(self::SECRET, $forged, self::SESSION, self::NOW));
        }

        foreach (array_keys(str_split($ticket)) as $i) {
            $changed = $ticket;
            $changed[$i] = $ticket[$i] === 'x' ? 'y' : 'x';

            $this->assertNull(BindTicket::open(self::SECRET, $changed, self::SESSION, self::NOW));
        }
    }
}
