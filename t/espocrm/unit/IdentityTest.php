<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Assertion\Claims;
use Espo\Modules\OidcProxy\Authentication\Identity;
use PHPUnit\Framework\TestCase;

final class IdentityTest extends TestCase
{
    public function testBothAreNeeded(): void
    {
        foreach ([[], ['sub' => 'a'], ['idp' => 'https://i'], ['sub' => 1, 'idp' => 'https://i'], ['sub' => 'a', 'idp' => ['x']],
            ['sub' => '', 'idp' => 'https://i']] as $data) {
            $this->assertNull(Identity::fromClaims(new Claims($data)));
        }

        $identity = Identity::fromClaims(new Claims(['sub' => ' a', 'idp' => 'https://i']));

        // A subject is taken as it is.
        $this->assertSame([' a', 'https://i'], [$identity?->getSubject(), $identity?->getIssuer()]);
    }

    public function testLimits(): void
    {
        $this->assertNotNull(Identity::create(str_repeat('i', 255), str_repeat('ü', 255)));
        $this->assertNull(Identity::create('https://i', str_repeat('s', 256)));
        $this->assertNull(Identity::create(str_repeat('i', 256), 's'));
        $this->assertNull(Identity::create('https://i', "s\n"));
    }

    public function testKeysAreDifferentWhereADatabaseSeesNoDifference(): void
    {
        $keys = [];

        foreach ([['i', 's'], ['i', 'S'], ['I', 's'], ['i', 'ś'], ['i', 's '], ['is', 's'], ['i', 'is'], ['i/', 's']] as [$i, $s]) {
            $key = Identity::create($i, $s)?->getKey();

            $this->assertMatchesRegularExpression('/^[0-9a-f]{64}$/', (string) $key);
            $keys[] = $key;
        }

        $this->assertSame($keys, array_unique($keys));
    }
}
