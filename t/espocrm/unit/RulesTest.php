<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Authentication\Account;
use Espo\Modules\OidcProxy\Authentication\Decision;
use Espo\Modules\OidcProxy\Authentication\Identity;
use Espo\Modules\OidcProxy\Authentication\Policy;
use Espo\Modules\OidcProxy\Authentication\Rules;
use Espo\Modules\OidcProxy\Authentication\TakeOver;
use Espo\Modules\OidcProxy\Authentication\Username;
use Espo\Modules\OidcProxy\SignIn\Reason;
use Espo\Modules\OidcProxy\SignIn\Refused;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

require_once __DIR__ . '/MemoryAccountDirectory.php';

final class RulesTest extends TestCase
{
    private MemoryAccountDirectory $directory;

    protected function setUp(): void
    {
        $this->directory = new MemoryAccountDirectory();
    }

    private static function who(string $subject, string $issuer = 'https://idp.example'): Identity
    {
        return Identity::create($issuer, $subject) ?? throw new \LogicException();
    }

    /**
     * As EspoCRM does it: bytes that its regular expression does not allow become `_`.
     */
    private static function username(string $raw): Username
    {
        $normalized = str_replace(' ', '_', (string) preg_replace('/[^a-z0-9\-@_.\s]/', '_', strtolower($raw)));

        return Username::create($raw, $normalized) ?? throw new \LogicException();
    }

    private function decide(
        Policy $policy,
        string $subject,
        ?string $name,
        ?string $email = null,
        string $issuer = 'https://idp.example'
    ): Decision {

        return (new Rules($this->directory, $policy))
            ->decide(self::who($subject, $issuer), $name === null ? null : self::username($name), $email);
    }

    private function refusal(
        Policy $policy,
        string $subject,
        ?string $name,
        ?string $email = null,
        string $issuer = 'https://idp.example'
    ): Refused {

        try {
            $decision = $this->decide($policy, $subject, $name, $email, $issuer);
        } catch (Refused $e) {
            $this->assertSame($subject, $e->getIdentity()?->getSubject());

            return $e;
        }

        $this->fail("'$name' becomes '{$decision->getUserName()}'.");
    }

    public function testTheSubjectLeadsToItsUserWhateverTheNameIs(): void
    {
        $this->directory
            ->add(new Account('1', 'jdoe', isBound: true), self::who('a'))
            ->add(new Account('2', 'jsmith'));

        foreach (['jdoe', 'jsmith', 'müller', str_repeat('x', 300), null] as $name) {
            $decision = $this->decide(new Policy(TakeOver::UserName, true, false, 50), 'a', $name);

            $this->assertSame('1', $decision->getAccount()?->getId());
            $this->assertSame('jdoe', $decision->getUserName());
            $this->assertFalse($decision->isToBind());
        }
    }

    /**
     * @return array<array{string, string}>
     */
    public static function provideOtherSubjects(): array
    {
        return [
            ['b', 'https://idp.example'],
            ['A', 'https://idp.example'],
            ['a ', 'https://idp.example'],
            ['á', 'https://idp.example'],
            ['a', 'https://other.example'],
            ['a', 'https://idp.example/'],
            ['a', 'https://IDP.example'],
            ['https://idp.examplea', 'https://idp.example'],
        ];
    }

    /**
     * @dataProvider provideOtherSubjects
     */
    #[DataProvider('provideOtherSubjects')]
    public function testAnotherSubjectOfTheSameNameIsRefused(string $subject, string $issuer): void
    {
        foreach (['regular', 'admin'] as $type) {
            $this->setUp();
            $this->directory->add(new Account('1', 'jdoe', $type, isBound: true), self::who('a'), 'jdoe@x.example');

            foreach (TakeOver::cases() as $takeOver) {
                foreach (['jdoe', 'JDoe'] as $name) {
                    $refused = $this->refusal(new Policy($takeOver, true, true), $subject, $name, 'jdoe@x.example', $issuer);

                    $this->assertSame(Reason::OtherSubject, $refused->getReason());
                    $this->assertNull($refused->getClaimed());
                }
            }
        }
    }

    /**
     * @return array<array{string, string}>
     */
    public static function provideAlteredNames(): array
    {
        return [
            ['m__ller', 'müller'],
            ['m__ller', 'möller'],
            ['m__ller', 'm+_ller'],
            ['john_doe', 'john+doe'],
            ['john_doe', 'john doe'],
            ['john_doe', 'John Doe'],
            ['o_neil', "o'neil"],
            ['o_neil', 'o%neil'],
            ['_john', ' john'],
            ['john_', 'john '],
            ['_________', "ＪＯＨ"],
            ['stra__e', 'straße'],
            ['___ate', "\u{212A}ate"],
            ['jose__', "jose\u{301}"],
            ['__stanbul', "\u{130}stanbul"],
            ['admin', 'admin'."\u{200B}"],
            ['**logout', '__logout'],
        ];
    }

    /**
     * @dataProvider provideAlteredNames
     */
    #[DataProvider('provideAlteredNames')]
    public function testANameThatLosesSomethingMeetsNobody(string $userName, string $raw): void
    {
        $normalized = self::username($raw)->getNormalized();

        foreach (['regular', 'admin', 'system', 'portal'] as $type) {
            foreach ([true, false] as $isBound) {
                $this->setUp();
                $this->directory->add(new Account('1', $userName, $type, isBound: $isBound), null, null, [$normalized]);

                $refused = $this->refusal(new Policy(TakeOver::UserName, true, true), 'new', $raw);

                $this->assertSame(Reason::NameAltered, $refused->getReason());
                $this->assertNull($refused->getClaimed());
            }
        }
    }

    public function testAnotherTabOfTheSamePersonWasFaster(): void
    {
        foreach ([TakeOver::Never, TakeOver::UserName, TakeOver::EmailAddress] as $takeOver) {
            $this->setUp();
            $this->directory->add(new Account('1', 'jdoe', isBound: true), self::who('a'), 'jdoe@x.example');
            $this->directory->beSlowOnce();

            $decision = $this->decide(new Policy($takeOver, true), 'a', 'jdoe', 'jdoe@x.example');

            $this->assertSame('1', $decision->getAccount()?->getId());
            $this->assertFalse($decision->isToBind());
        }

        // Who may not sign in may not, fast or slow.
        $this->setUp();
        $this->directory->add(new Account('1', 'jdoe', isActive: false, isBound: true), self::who('a'));
        $this->directory->beSlowOnce();
        $this->assertSame(Reason::Inactive, $this->refusal(new Policy(TakeOver::UserName), 'a', 'jdoe')->getReason());
    }

    public function testALenientDatabaseFindsSomebodyElse(): void
    {
        $this->directory->add(new Account('1', 'josé'), null, null, ['jose']);

        $this->assertSame(Reason::NameAltered,
            $this->refusal(new Policy(TakeOver::UserName, true), 'new', 'jose')->getReason());
    }

    public function testANameThatLosesSomethingAndMeetsNobodyMakesAUser(): void
    {
        $decision = $this->decide(new Policy(createUser: true), 'new', 'müller');

        $this->assertNull($decision->getAccount());
        $this->assertSame('m__ller', $decision->getUserName());
        $this->assertTrue($decision->isToBind());
    }

    public function testCaseAloneLosesNothing(): void
    {
        foreach ([['jdoe', 'JDoe'], ['JDoe', 'jdoe'], ['jdoe', 'jdoe'], ['a.b-c@x.de', 'A.B-C@X.de']] as [$has, $says]) {
            $this->setUp();
            $this->directory->add(new Account('1', $has));

            $decision = $this->decide(new Policy(TakeOver::UserName), 'new', $says);

            $this->assertSame('1', $decision->getAccount()?->getId());
            $this->assertTrue($decision->isToBind());
        }
    }

    public function testARegularUserIsTakenOverByTheRuleOnly(): void
    {
        $this->directory->add(new Account('1', 'jdoe'), null, 'jdoe@x.example');

        foreach ([TakeOver::Never, TakeOver::EmailAddress] as $takeOver) {
            $refused = $this->refusal(new Policy($takeOver, true), 'new', 'jdoe', 'other@x.example');

            $this->assertSame(Reason::NameTaken, $refused->getReason());
            $this->assertSame('1', $refused->getClaimed()?->getId());
        }

        $this->assertSame(Reason::NameTaken,
            $this->refusal(new Policy(TakeOver::Never, true), 'new', 'jdoe', 'jdoe@x.example')->getReason());

        // Only the rule of names looks at names, and only the rule of addresses at addresses.
        $this->assertNull(
            $this->decide(new Policy(TakeOver::UserName, true), 'new', 'other', 'jdoe@x.example')->getAccount());
        $this->assertSame('1',
            $this->decide(new Policy(TakeOver::EmailAddress), 'new', 'other', 'jdoe@x.example')->getAccount()?->getId());
        $this->assertSame(Reason::NoUser,
            $this->refusal(new Policy(TakeOver::EmailAddress), 'new', 'other', null)->getReason());
    }

    public function testAnAddressLeadsToNobodyElse(): void
    {
        $policy = new Policy(TakeOver::EmailAddress, true, true);

        $this->directory
            ->add(new Account('1', 'bound', isBound: true), self::who('a'), 'shared@x.example')
            ->add(new Account('2', 'portal', 'portal'), null, 'shared@x.example');

        $this->assertNull($this->decide($policy, 'new', 'new', 'shared@x.example')->getAccount());

        $this->directory->add(new Account('3', 'third'), null, 'shared@x.example');
        $this->assertSame('3', $this->decide($policy, 'new', 'new', 'shared@x.example')->getAccount()?->getId());

        $this->directory->add(new Account('4', 'fourth'), null, 'shared@x.example');
        $this->assertSame(Reason::EmailAmbiguous,
            $this->refusal($policy, 'new', 'new', 'shared@x.example')->getReason());
    }

    public function testAnAdministratorIsNeverTakenOver(): void
    {
        $this->directory->add(new Account('1', 'admin', 'admin'), null, 'admin@x.example');

        foreach (TakeOver::cases() as $takeOver) {
            $refused = $this->refusal(new Policy($takeOver, true, true), 'new', 'Admin', 'admin@x.example');

            $this->assertSame(Reason::AdminUnbound, $refused->getReason());
            $this->assertSame('1', $refused->getClaimed()?->getId());

            // Where administrators may not sign in, nothing is offered.
            $refused = $this->refusal(new Policy($takeOver, true), 'new', 'admin', 'admin@x.example');

            $this->assertSame(Reason::Admin, $refused->getReason());
            $this->assertNull($refused->getClaimed());
        }
    }

    /**
     * @return array<array{Account, Reason}>
     */
    public static function provideUsersWhoMayNot(): array
    {
        return [
            [new Account('1', 'who', 'system'), Reason::UserType],
            [new Account('1', 'who', 'api'), Reason::UserType],
            [new Account('1', 'who', 'something new'), Reason::UserType],
            [new Account('1', 'who', ''), Reason::UserType],
            [new Account('1', 'who', 'portal'), Reason::PortalUser],
            [new Account('1', 'who', 'super-admin'), Reason::SuperAdmin],
            [new Account('1', 'who', 'admin'), Reason::Admin],
            [new Account('1', 'who', isActive: false), Reason::Inactive],
            [new Account('1', 'who', 'admin', isActive: false), Reason::Inactive],
        ];
    }

    /**
     * @dataProvider provideUsersWhoMayNot
     */
    #[DataProvider('provideUsersWhoMayNot')]
    public function testWhoMayNotSignInMayNotHoweverFound(Account $account, Reason $reason): void
    {
        $policy = new Policy(TakeOver::UserName, true);

        $this->directory->add($account, self::who('a'));
        $this->assertSame($reason, $this->refusal($policy, 'a', 'other')->getReason());

        $this->setUp();
        $this->directory->add($account, null, 'who@x.example');
        $refused = $this->refusal($policy, 'new', 'who');
        $this->assertSame($reason, $refused->getReason());
        $this->assertNull($refused->getClaimed());
    }

    private function refusalOfProgram(Policy $policy, string $subject, string $issuer = 'https://idp.example'): Reason
    {
        try {
            $account = (new Rules($this->directory, $policy))->decideForProgram(self::who($subject, $issuer));
        } catch (Refused $e) {
            $this->assertSame($subject, $e->getIdentity()?->getSubject());
            $this->assertNull($e->getClaimed());

            return $e->getReason();
        }

        $this->fail("'$subject' becomes '{$account->getUserName()}'.");
    }

    public function testAProgramIsTheUserWhoBelongsToItsSubject(): void
    {
        foreach (['regular', 'api', 'admin'] as $type) {
            $this->setUp();
            $this->directory
                ->add(new Account('1', 'robot', $type, isBound: true), self::who('client-1'))
                ->add(new Account('2', 'client-1', $type));

            foreach (TakeOver::cases() as $takeOver) {
                $account = (new Rules($this->directory, new Policy($takeOver, true, true)))
                    ->decideForProgram(self::who('client-1'));

                $this->assertSame('1', $account->getId());
            }
        }
    }

    /**
     * @dataProvider provideOtherSubjects
     */
    #[DataProvider('provideOtherSubjects')]
    public function testAProgramOfAnotherSubjectIsNobody(string $subject, string $issuer): void
    {
        $this->directory
            ->add(new Account('1', 'robot', 'api', isBound: true), self::who('a'))
            ->add(new Account('2', $subject), null, $subject);

        foreach (TakeOver::cases() as $takeOver) {
            $this->assertSame(Reason::NoUser,
                $this->refusalOfProgram(new Policy($takeOver, true, true), $subject, $issuer));
        }
    }

    /**
     * @dataProvider provideUsersWhoMayNot
     */
    #[DataProvider('provideUsersWhoMayNot')]
    public function testWhoMayNotSignInMayNotByAProgram(Account $account, Reason $reason): void
    {
        $this->directory->add($account, self::who('a'));

        if ($account->isApi()) {
            $this->assertSame($account, (new Rules($this->directory, new Policy()))->decideForProgram(self::who('a')));

            return;
        }

        $this->assertSame($reason, $this->refusalOfProgram(new Policy(TakeOver::UserName, true), 'a'));
    }

    public function testAnApiUserWhoIsNotActive(): void
    {
        $this->directory->add(new Account('1', 'robot', 'api', isActive: false, isBound: true), self::who('a'));

        $this->assertSame(Reason::Inactive, $this->refusalOfProgram(new Policy(), 'a'));
        $this->assertSame(Reason::UserType, $this->refusal(new Policy(), 'a', null)->getReason());
    }

    public function testAnInactiveUserIsNotReplacedByANewOne(): void
    {
        $this->directory->add(new Account('1', 'who', isActive: false), null, 'who@x.example');

        $this->assertSame(Reason::Inactive,
            $this->refusal(new Policy(TakeOver::EmailAddress, true), 'new', 'new-name', 'who@x.example')->getReason());
    }

    public function testALongName(): void
    {
        $policy = new Policy(TakeOver::UserName, true, false, 50);

        $this->assertSame(str_repeat('x', 50), $this->decide($policy, 'new', str_repeat('X', 50))->getUserName());

        $refused = $this->refusal($policy, 'new', str_repeat('x', 51));

        $this->assertSame(Reason::UsernameTooLong, $refused->getReason());
        $this->assertSame(['limit' => '50'], $refused->getValues());

        // EspoCRM counts what it stores: a letter of two bytes becomes two characters.
        $this->assertSame(Reason::UsernameTooLong, $this->refusal($policy, 'new', str_repeat('ü', 26))->getReason());
        $this->assertSame(50, strlen($this->decide($policy, 'new', str_repeat('ü', 25))->getUserName()));
    }

    public function testWithoutANameOnlyAKnownSubjectIsLetIn(): void
    {
        $this->assertSame(Reason::UsernameClaim, $this->refusal(new Policy(createUser: true), 'new', null)->getReason());
        $this->assertSame(Reason::NoUser, $this->refusal(new Policy(TakeOver::UserName), 'new', 'new')->getReason());
    }

    public function testNamesThatAreNone(): void
    {
        foreach (['', ' ', "\u{0}", "john\tdoe", "john\n"] as $raw) {
            $this->assertNull(Username::create($raw, strtolower($raw)));
        }
    }

    public function testASettingThatIsNoneTakesNobodyOver(): void
    {
        foreach ([null, '', 'Username', 1, true, ['username']] as $value) {
            $this->assertSame(TakeOver::Never, TakeOver::fromSetting($value));
        }

        $this->assertSame(TakeOver::EmailAddress, TakeOver::fromSetting('email'));
    }
}
