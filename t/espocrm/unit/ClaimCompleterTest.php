<?php
// SPDX-License-Identifier: Apache-2.0

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Assertion\Claims;
use Espo\Modules\OidcProxy\Authentication\ClaimCompleter;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

class ClaimCompleterTest extends TestCase
{
    private const CURRENT = [
        'email' => 'old@example.com',
        'phone_number' => '+1',
        'given_name' => 'Old',
        'family_name' => 'Name',
        'gender' => 'female',
    ];

    public function testMissingClaimsKeepWhatIsThere(): void
    {
        $data = (new ClaimCompleter())->complete(
            new Claims(['email' => 'new@example.com', 'groups' => ['a'], 'name' => 'Some One']), self::CURRENT, 'alice');

        $this->assertSame('new@example.com', $data['email']);
        $this->assertSame('+1', $data['phone_number']);
        $this->assertSame('Old', $data['given_name']);
        $this->assertSame('Name', $data['family_name']);
        $this->assertSame('female', $data['gender']);
        $this->assertSame(['a'], $data['groups']);
    }

    public function testClaimsThatAreNoTextAreMissing(): void
    {
        $data = (new ClaimCompleter())->complete(
            new Claims(['email' => ['a@example.com'], 'phone_number' => 1, 'given_name' => ' ', 'gender' => false]),
            self::CURRENT, 'alice');

        $this->assertEquals(self::CURRENT, array_intersect_key($data, self::CURRENT));
    }

    public static function provideNames(): array
    {
        return [
            [['given_name' => 'A', 'family_name' => 'B', 'name' => 'X Y'], 'A', 'B'],
            [['family_name' => 'B', 'name' => 'X Y'], null, 'B'],
            [['name' => 'Ada Lovelace'], 'Ada', 'Lovelace'],
            [['name' => ' Anna Maria  Huber '], 'Anna Maria', 'Huber'],
            [['name' => 'Cher'], null, 'Cher'],
            [[], null, 'alice'],
        ];
    }

    /**
     * @dataProvider provideNames
     */
    #[DataProvider('provideNames')]
    public function testNameOfANewUser(array $claims, ?string $given, ?string $family): void
    {
        $data = (new ClaimCompleter())->complete(new Claims($claims), null, 'alice');

        $this->assertSame($given, $data['given_name']);
        $this->assertSame($family, $data['family_name']);
        $this->assertNull($data['email']);
    }
}
