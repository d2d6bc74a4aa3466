<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Assertion\Claims;
use Espo\Modules\OidcProxy\Authentication\Profile;
use Espo\Modules\OidcProxy\Authentication\Text;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

final class ProfileTest extends TestCase
{
    public function testWhatIsNotSentIsNotSaid(): void
    {
        $this->assertSame([], (new Profile(new Claims(['groups' => ['a'], 'name' => 'Some One'])))->getValues());
        $this->assertSame([], (new Profile(new Claims([
            'email' => ['a@example.com'], 'phone_number' => 1, 'given_name' => ' ', 'family_name' => '', 'gender' => false,
            'middle_name' => null,
        ])))->getValues());
        $this->assertSame(
            ['firstName' => 'A', 'middleName' => 'B', 'lastName' => 'C', 'gender' => 'female', 'phoneNumber' => '+1',
                'emailAddress' => 'a@example.com'],
            (new Profile(new Claims(['given_name' => 'A', 'middle_name' => ' B ', 'family_name' => 'C',
                'gender' => 'female', 'phone_number' => '+1', 'email' => 'a@example.com'])))->getValues());
    }

    /**
     * @return array<array{array<string, mixed>, ?string, ?string}>
     */
    public static function provideNames(): array
    {
        return [
            [['given_name' => 'A', 'family_name' => 'B', 'name' => 'X Y'], 'A', 'B'],
            [['family_name' => 'B', 'name' => 'X Y'], null, 'B'],
            [['given_name' => 'A', 'name' => 'X Y'], 'A', null],
            [['name' => 'Ada Lovelace'], 'Ada', 'Lovelace'],
            [['name' => ' Anna Maria  Huber '], 'Anna Maria', 'Huber'],
            [['name' => 'Cher'], null, 'Cher'],
            [[], null, 'alice'],
        ];
    }

    /**
     * @dataProvider provideNames
     * @param array<string, mixed> $claims
     */
    #[DataProvider('provideNames')]
    public function testNameOfANewUser(array $claims, ?string $given, ?string $family): void
    {
        $values = (new Profile(new Claims($claims)))->getValuesForNew('alice');

        $this->assertSame($given, $values['firstName'] ?? null);
        $this->assertSame($family, $values['lastName'] ?? null);
        $this->assertArrayNotHasKey('emailAddress', $values);
    }

    public function testVerifiedAddresses(): void
    {
        foreach ([true, 'true'] as $yes) {
            $profile = new Profile(new Claims(['email' => 'a@x.example', 'email_verified' => $yes]));

            $this->assertSame('a@x.example', $profile->getVerifiedEmailAddress());
        }

        foreach ([null, false, 'false', 1, '1', 'yes', [], 'TRUE', new \stdClass()] as $no) {
            $profile = new Profile(new Claims(['email' => 'a@x.example', 'email_verified' => $no]));

            $this->assertNull($profile->getVerifiedEmailAddress());
        }

        $this->assertNull((new Profile(new Claims(['email_verified' => true])))->getVerifiedEmailAddress());
    }

    public function testTextsAreCutAtCharacters(): void
    {
        $this->assertSame('üü', Text::fit('üüü', 2));
        $this->assertSame('a', Text::fit(' a b', 2));
        $this->assertSame('a b', Text::fit("a\r\n\tb\n", 100));
        $this->assertSame('abc', Text::fit('abc', null));
        $this->assertSame('äÄzİ', Text::lower('äÄZİ'));
    }
}
