<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Assertion\Claims;
use Espo\Modules\OidcProxy\Assertion\Reason;
use Espo\Modules\OidcProxy\Assertion\Refused;
use Espo\Modules\OidcProxy\Assertion\SharedSecret;
use Espo\Modules\OidcProxy\Assertion\Verifier;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

require_once __DIR__ . '/AssertionFactory.php';
require_once __DIR__ . '/MemoryJtiStore.php';

final class VerifierTest extends TestCase
{
    private const NOW = AssertionFactory::NOW;

    private MemoryJtiStore $store;

    protected function setUp(): void
    {
        $this->store = new MemoryJtiStore();
    }

    private function verify(
        ?string $assertion,
        int $now = self::NOW,
        string $secret = AssertionFactory::SECRET,
        string $siteUrl = AssertionFactory::SITE,
    ): Claims {

        return (new Verifier(new SharedSecret($secret), $siteUrl, $this->store))->verify($assertion, $now);
    }

    private function assertRefused(Reason $reason, callable $function): Refused
    {
        try {
            $function();
        } catch (Refused $e) {
            $this->assertSame($reason, $e->getReason(), $e->getMessage());
            $this->assertStringNotContainsString(AssertionFactory::SECRET, $e->getMessage());
            $this->assertSame([], $this->store->used, "A refused assertion must not use up its ID.");

            return $e;
        }

        $this->fail("Not refused, expected: $reason->value");
    }

    public function testARefusalKnowsWhoAsSoonAsTheProxySaysIt(): void
    {
        $refused = $this->assertRefused(Reason::Expired,
            fn () => $this->verify(AssertionFactory::create(), self::NOW + 1000));

        $this->assertSame('alice', $refused->getClaims()?->getText('preferred_username'));

        $refused = $this->assertRefused(Reason::Signature,
            fn () => $this->verify(AssertionFactory::create(secret: str_repeat('w', 32))));

        $this->assertNull($refused->getClaims());
    }

    public function testAccepted(): void
    {
        $claims = $this->verify(AssertionFactory::create());

        $this->assertSame('alice', $claims->getText('preferred_username'));
        $this->assertSame(['sales', 'support'], $claims->get('groups'));
        $this->assertNull($claims->getText('groups'));
        $this->assertNull($claims->get('none'));
        $this->assertArrayHasKey('id-1', $this->store->used);
        $this->assertGreaterThanOrEqual(self::NOW + 60, $this->store->used['id-1']);
    }

    public function testEndOfLineIsNotPartOfTheSecret(): void
    {
        $this->assertSame('subject-1',
            $this->verify(AssertionFactory::create(), self::NOW, AssertionFactory::SECRET . "\r\n")->get('sub'));

        $this->expectExceptionMessage('proxy secret');
        $this->verify(AssertionFactory::create(['jti' => 'b']), self::NOW, AssertionFactory::SECRET . ' ');
    }

    public static function provideParties(): array
    {
        return [
            'list' => [AssertionFactory::SITE, ['aud' => ['https://other.example', 'https://crm.example.com']]],
            'slash in setting' => ['https://crm.example.com/', []],
            'slash in audience' => [AssertionFactory::SITE, ['aud' => 'https://crm.example.com/']],
            'letter case' => ['HTTPS://CRM.example.com', []],
            'default port' => ['https://crm.example.com:443', []],
            'folder, origin as audience' => ['https://crm.example.com/espo/', []],
            'folder as audience' => ['https://crm.example.com/espo', ['aud' => 'https://crm.example.com/espo/']],
            'own port' => [
                'https://crm.example.com:8443',
                ['iss' => 'https://crm.example.com:8443', 'aud' => 'https://crm.example.com:8443'],
            ],
        ];
    }

    /**
     * @dataProvider provideParties
     */
    #[DataProvider('provideParties')]
    public function testPartiesAccepted(string $siteUrl, array $changes): void
    {
        $this->assertSame('subject-1', $this->verify(AssertionFactory::create($changes), siteUrl: $siteUrl)->get('sub'));
    }

    public function testMissing(): void
    {
        $this->assertRefused(Reason::Missing, fn () => $this->verify(null));
        $this->assertRefused(Reason::Missing, fn () => $this->verify(''));
    }

    public function testSecretNotUsable(): void
    {
        foreach (['', '   ', str_repeat('x', 31), str_repeat('x', 31) . "\n"] as $secret) {
            $assertion = AssertionFactory::create([], secret: $secret);

            $this->assertRefused(Reason::SecretNotSet, fn () => $this->verify($assertion, secret: $secret));
        }
    }

    public function testSiteUrlNotUsable(): void
    {
        foreach (['', 'crm.example.com', '//crm.example.com', 'ftp://crm.example.com', 'https://'] as $siteUrl) {
            $this->assertRefused(Reason::SiteUrl,
                fn () => $this->verify(AssertionFactory::create(), siteUrl: $siteUrl));
        }
    }

    public static function provideMalformed(): array
    {
        $good = AssertionFactory::create();
        [$header, $payload, $signature] = explode('.', $good);

        return [
            'word' => ['nonsense'],
            'two parts' => ["$header.$payload"],
            'four parts' => ["$good."],
            'empty header' => [".$payload.$signature"],
            'empty signature' => ["$header.$payload."],
            'padding' => ["$header.$payload.$signature="],
            'other alphabet' => ["$header.$payload." . strtr($signature, '-_', '+/') . '+'],
            'blank' => ["$header.$payload. $signature"],
            'two headers joined by a server' => ["$good, $good"],
            'too long' => [AssertionFactory::create(['x' => str_repeat('x', 20000)])],
            'header no object' => [AssertionFactory::sign('["HS256"]', '{}')],
            'header no JSON' => [AssertionFactory::sign('alg', '{}')],
            'payload no object' => [AssertionFactory::sign('{"alg":"HS256"}', '"text"')],
            'payload no JSON' => [AssertionFactory::sign('{"alg":"HS256"}', '{"iss":')],
            'payload too deep' => [AssertionFactory::sign('{"alg":"HS256"}', str_repeat('[', 99) . str_repeat(']', 99))],
            'crit' => [AssertionFactory::create([], ['alg' => 'HS256', 'crit' => ['b64'], 'b64' => false])],
        ];
    }

    /**
     * @dataProvider provideMalformed
     */
    #[DataProvider('provideMalformed')]
    public function testMalformed(string $assertion): void
    {
        $this->assertRefused(Reason::Malformed, fn () => $this->verify($assertion));
    }

    public function testSignatureWithSpareBits(): void
    {
        $good = AssertionFactory::create();
        $alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

        // 32 bytes leave two bits of the last character without a meaning.
        $other = $alphabet[strpos($alphabet, $good[-1]) ^ 1];

        $this->assertRefused(Reason::Malformed, fn () => $this->verify(substr($good, 0, -1) . $other));
    }

    public function testAlgorithm(): void
    {
        foreach (['none', 'HS512', 'hs256', 'RS256', '', null, true, ['HS256']] as $alg) {
            $this->assertRefused(Reason::Algorithm,
                fn () => $this->verify(AssertionFactory::create([], ['alg' => $alg])));
        }

        $this->assertRefused(Reason::Algorithm, fn () => $this->verify(AssertionFactory::create([], ['typ' => 'JWT'])));
    }

    public function testSignature(): void
    {
        [$header, $payload, $signature] = explode('.', AssertionFactory::create());

        $other = AssertionFactory::encode(json_encode(['sub' => 'admin']));

        $this->assertRefused(Reason::Signature, fn () => $this->verify("$header.$other.$signature"));
        $this->assertRefused(Reason::Signature,
            fn () => $this->verify(AssertionFactory::create([], secret: str_repeat('w', 32))));
        $this->assertRefused(Reason::Signature,
            fn () => $this->verify("$header.$payload." . AssertionFactory::encode('short')));
        $this->assertRefused(Reason::Signature,
            fn () => $this->verify(
                "$header.$payload." . AssertionFactory::encode(hash_hmac('sha256', "$header.$payload", '', true))));
    }

    public static function provideParty(): array
    {
        return [
            [Reason::Issuer, ['iss' => null]],
            [Reason::Issuer, ['iss' => '']],
            [Reason::Issuer, ['iss' => ['https://crm.example.com']]],
            [Reason::Issuer, ['iss' => 'http://crm.example.com']],
            [Reason::Issuer, ['iss' => 'https://crm.example.com:8443']],
            [Reason::Issuer, ['iss' => 'https://crm.example.com.evil.example']],
            [Reason::Issuer, ['iss' => 'https://crm.example.com@evil.example']],
            [Reason::Issuer, ['iss' => 'https://crm.example.com/folder']],
            [Reason::Issuer, ['iss' => 'https://crm.example.com?x']],
            [Reason::Audience, ['aud' => null]],
            [Reason::Audience, ['aud' => []]],
            [Reason::Audience, ['aud' => 7]],
            [Reason::Audience, ['aud' => [['https://crm.example.com']]]],
            [Reason::Audience, ['aud' => 'https://wiki.example.com']],
            [Reason::Audience, ['aud' => 'https://crm.example.com/folder']],
            [Reason::Audience, ['aud' => 'https://crm.example.com#x']],
            [Reason::Subject, ['sub' => null]],
            [Reason::Subject, ['sub' => '']],
            [Reason::Subject, ['sub' => 5]],
        ];
    }

    /**
     * @dataProvider provideParty
     */
    #[DataProvider('provideParty')]
    public function testParties(Reason $reason, array $changes): void
    {
        $this->assertRefused($reason, fn () => $this->verify(AssertionFactory::create($changes)));
    }

    public function testTimes(): void
    {
        $now = self::NOW;

        foreach ([
            [Reason::Lifetime, ['exp' => null]],
            [Reason::Lifetime, ['iat' => null]],
            [Reason::Lifetime, ['exp' => (string) ($now + 60)]],
            [Reason::Lifetime, ['exp' => $now + 59.5]],
            [Reason::Lifetime, ['exp' => $now + 61]],
            [Reason::Lifetime, ['exp' => $now]],
            [Reason::Lifetime, ['nbf' => 'soon']],
            [Reason::Expired, ['iat' => $now - 70, 'exp' => $now - 10]],
            [Reason::NotYetValid, ['iat' => $now + 11, 'exp' => $now + 71]],
            [Reason::NotYetValid, ['nbf' => $now + 30]],
        ] as [$reason, $changes]) {
            $this->assertRefused($reason, fn () => $this->verify(AssertionFactory::create($changes)));
        }
    }

    public function testClocksMayDifferALittle(): void
    {
        $this->verify(AssertionFactory::create(['jti' => 'a']), self::NOW - 10);
        $this->verify(AssertionFactory::create(['jti' => 'b']), self::NOW + 69);

        $this->assertCount(2, $this->store->used);
    }

    public function testDifferenceOfClocksIsInTheMessage(): void
    {
        $e = $this->assertRefused(Reason::Expired,
            fn () => $this->verify(AssertionFactory::create(), self::NOW + 107));

        $this->assertStringContainsString('47 s ago', $e->getMessage());
    }

    public function testIdNotUsable(): void
    {
        foreach ([null, '', 5, str_repeat('x', 257)] as $jti) {
            $this->assertRefused(Reason::Id, fn () => $this->verify(AssertionFactory::create(['jti' => $jti])));
        }
    }

    public function testOnce(): void
    {
        $assertion = AssertionFactory::create();

        $this->verify($assertion);
        $this->expectExceptionMessage('used before');
        $this->verify($assertion);
    }
}
