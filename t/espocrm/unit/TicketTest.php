<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Diagnosis\Ticket;
use PHPUnit\Framework\TestCase;

final class TicketTest extends TestCase
{
    private const SECRET = 'secret of EspoCRM';
    private const NOW = 1800000000;

    public function testGoodForAMinute(): void
    {
        $ticket = Ticket::make(self::SECRET, self::NOW);

        $this->assertTrue(Ticket::isGood(self::SECRET, $ticket, self::NOW));
        $this->assertTrue(Ticket::isGood(self::SECRET, $ticket, self::NOW + 59));
        $this->assertFalse(Ticket::isGood(self::SECRET, $ticket, self::NOW + 60));
    }

    public function testNotMadeHere(): void
    {
        $ticket = Ticket::make(self::SECRET, self::NOW);
        [$expires, $signature] = explode('.', $ticket);

        $wrong = ['', '.', 'x', $expires, "$expires.", ".$signature", "$ticket.", "$ticket ", " $ticket", "0$ticket",
            ($expires + 1) . ".$signature", "$expires." . strrev($signature), Ticket::make('another', self::NOW)];

        foreach ($wrong as $item) {
            $this->assertFalse(Ticket::isGood(self::SECRET, $item, self::NOW), $item);
        }
    }
}
