<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Assertion\Claims;
use Espo\Modules\OidcProxy\SignIn\Visitor;
use PHPUnit\Framework\TestCase;

final class VisitorTest extends TestCase
{
    private const ISSUER = 'https://idp.example.com';

    private static function nameOf(array $claims, ?string $usernameClaim = 'preferred_username'): ?string
    {
        return Visitor::fromClaims(new Claims($claims + ['idp' => self::ISSUER]), $usernameClaim)?->getName();
    }

    public function testName(): void
    {
        $claims = ['sub' => '4711', 'name' => 'Anna A', 'email' => 'anna@example.com', 'preferred_username' => 'anna',
            'upn' => 'anna@corp'];

        $this->assertSame('anna', self::nameOf($claims));
        $this->assertSame('anna@corp', self::nameOf($claims, 'upn'));
        $this->assertSame('anna', self::nameOf($claims, 'none'));
        $this->assertSame('anna', self::nameOf($claims, null));
        $this->assertSame('4711', self::nameOf(['sub' => '4711', 'preferred_username' => ['anna']]));
        $this->assertNull(self::nameOf([]));
        $this->assertNull(self::nameOf(['sub' => " \n "]));
    }

    public function testOneLineOfBoundedLength(): void
    {
        $this->assertSame('a b', self::nameOf(['preferred_username' => "a\r\n\x00b"]));
        $this->assertSame(str_repeat('ä', 100), self::nameOf(['preferred_username' => str_repeat('ä', 1000)]));
    }

    public function testIssuer(): void
    {
        $this->assertSame(self::ISSUER,
            Visitor::fromClaims(new Claims(['idp' => self::ISSUER, 'sub' => 'x']), null)?->getIssuer());
        $this->assertNull(Visitor::fromClaims(new Claims(['sub' => 'x']), null));
        $this->assertNull(Visitor::fromClaims(new Claims(['sub' => 'x', 'idp' => [self::ISSUER]]), null));
    }
}
