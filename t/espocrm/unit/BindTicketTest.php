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
    private const NOW = 1_800_000_000;

    private function make(string $secret = self::SECRET): string
    {
        $identity = Identity::create('https://idp.example', 'sübject|1.2') ?? throw new \LogicException();

        return BindTicket::make($secret, '64ab', $identity, self::NOW);
    }

    public function testIsOpenedForTenMinutes(): void
    {
        foreach ([0, 599] as $age) {
            $ticket = BindTicket::open(self::SECRET, $this->make(), self::NOW + $age);

            $this->assertSame('64ab', $ticket?->getUserId());
            $this->assertSame('sübject|1.2', $ticket->getIdentity()->getSubject());
            $this->assertSame('https://idp.example', $ticket->getIdentity()->getIssuer());
        }

        foreach ([600, 86400] as $age) {
            $this->assertNull(BindTicket::open(self::SECRET, $this->make(), self::NOW + $age));
        }
    }

    public function testNothingElseIsOpened(): void
    {
        $ticket = $this->make();
        [$text, $mac] = explode('.', $ticket);

        $other = base64_encode((string) json_encode(['64ac', 'https://idp.example', 's', self::NOW + 600]));
        // Signed with the secret itself, as an assertion is.
        $likeAnAssertion = hash_hmac('sha256', $text, self::SECRET);

        foreach (['', '.', $text, "$text.", ".$mac", "$other.$mac", "$ticket.x", "$text.$likeAnAssertion",
            "$text." . strtoupper($mac), $this->make(self::SECRET . 'x')] as $forged) {
            $this->assertNull(BindTicket::open(self::SECRET, $forged, self::NOW));
        }

        for ($i = 0; $i < strlen($ticket); $i++) {
            $changed = $ticket;
            $changed[$i] = $ticket[$i] === 'x' ? 'y' : 'x';

            $this->assertNull(BindTicket::open(self::SECRET, $changed, self::NOW));
        }
    }
}
