<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Assertion\Claims;
use Espo\Modules\OidcProxy\Assertion\Reason;
use Espo\Modules\OidcProxy\Assertion\Refused;
use Espo\Modules\OidcProxy\Diagnosis\Check;
use Espo\Modules\OidcProxy\Diagnosis\Examination;
use Espo\Modules\OidcProxy\Diagnosis\Facts;
use Espo\Modules\OidcProxy\Diagnosis\Probe;
use Espo\Modules\OidcProxy\Diagnosis\State;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

final class ExaminationTest extends TestCase
{
    private const SITE = 'https://crm.example.com';
    private const ISSUER = 'https://idp.example.com';
    private const TEXTS = __DIR__ .
        '/../../../espocrm/files/custom/Espo/Modules/OidcProxy/Resources/i18n/en_US/OidcProxy.json';

    /**
     * @param array<string, mixed> $changes Of a site where everything is right.
     */
    private static function facts(array $changes = []): Facts
    {
        return new Facts(...array_merge([
            'isSwitchedOn' => true,
            'isMethodOidc' => true,
            'siteUrl' => self::SITE,
            'secretState' => 'stored',
            'keyAlgorithms' => null,
            'pinnedIssuer' => self::ISSUER,
            'takesOverByName' => false,
            'usernameClaim' => 'preferred_username',
            'logoutUrl' => '/oidc/logout',
            'signsInAutomatically' => true,
            'hasFallback' => true,
            'isStorageWritable' => true,
            'hasSession' => true,
            'keepsTokens' => true,
            'isSecureAtServer' => true,
            'address' => '192.0.2.7',
            'statedAddress' => '192.0.2.7',
            'browserUrl' => self::SITE . '/?a=b#Admin/authentication',
            'clockDifference' => 2,
            'probe' => self::probe(),
        ], $changes));
    }

    private static function probe(array $changes = [], int $length = 900): Probe
    {
        $claims = array_merge(['iat' => 1000, 'sub' => '4711', 'idp' => self::ISSUER, 'preferred_username' => 'anna'],
            $changes);

        return Probe::take(str_repeat('x', $length), new Claims($claims), null, 'preferred_username', 1001);
    }

    private static function refused(Reason $reason): Probe
    {
        return Probe::take('x', null, new Refused($reason, "why\nnot"), 'preferred_username', 1001);
    }

    /**
     * @return list<string>
     */
    private static function found(Facts $facts, State $state): array
    {
        $checks = array_filter(Examination::run($facts), fn (Check $check) => $check->state === $state);

        return array_values(array_map(fn (Check $check) => $check->text, $checks));
    }

    public static function provide(): array
    {
        $error = fn (array $changes, string ...$texts) => [$changes, $texts, []];
        $warning = fn (array $changes, string ...$texts) => [$changes, [], $texts];
        $status = fn (int $status) => ['probe' => Probe::fromBrowser($status, null)];

        return [
            'all is well' => [[], [], []],
            'another method' => $warning(['isMethodOidc' => false], 'method'),
            'off' => $warning(['isSwitchedOn' => false], 'switchOff'),
            'no Site URL' => $error(['siteUrl' => ''], 'siteUrlInvalid'),
            'Site URL without a scheme' => $error(['siteUrl' => 'crm.example.com'], 'siteUrlInvalid'),
            'another Site URL' => $error(['siteUrl' => 'https://crm.example.org'], 'siteUrlDiffers'),
            'another port' => $error(['siteUrl' => self::SITE . ':8443'], 'siteUrlDiffers'),
            'the same, in other words' => [['siteUrl' => 'HTTPS://CRM.example.com:443/'], [], []],
            'Site URL without TLS' => $error(['siteUrl' => 'http://crm.example.com'], 'siteUrlDiffers'),
            'no TLS' => $warning(['siteUrl' => 'http://crm.example.com', 'browserUrl' => 'http://crm.example.com/'], 'notSecure'),
            'TLS ends before' => $warning(['isSecureAtServer' => false], 'notSecureAtServer'),
            'no address of the browser' => [['browserUrl' => 'about:blank'], [], []],
            'no secret' => $error(['secretState' => 'none'], 'secretNone'),
            'short secret' => $error(['secretState' => 'short'], 'secretShort'),
            'keys' => [['secretState' => 'none', 'keyAlgorithms' => ['ES256', 'ES256', 'EdDSA']], [], []],
            'unreadable keys' => $error(['keyAlgorithms' => []], 'keysUnreadable'),
            'no session header' => $error(['hasSession' => false], 'sessionNone'),
            'no probe' => [['probe' => null], [], []],
            'no session at the proxy' => $error($status(401), 'assertionUnauthorized'),
            'no answer' => $error($status(0), 'assertionUnreachable'),
            'a page of somebody else' => $error($status(200), 'assertionUnreachable'),
            'an error' => $error($status(502), 'assertionUnreachable'),
            'no assertion' => $error(['probe' => self::refused(Reason::Missing)], 'missing-admin'),
            'a wrong secret' => $error(['probe' => self::refused(Reason::Signature)], 'signature-admin'),
            'a reason that nobody knows' => $error(['probe' => Probe::fromBrowser(200, (object) ['reason' => 'button'])],
                'default-admin'),
            'another claim' => $error(['probe' => self::probe(['preferred_username' => null])], 'usernameMissing'),
            'a number for a name' => $warning(['usernameClaim' => 'sub'], 'usernameSub'),
            'not pinned' => $warning(['pinnedIssuer' => null], 'issuerAnyKnown'),
            'not pinned, nothing known' => $warning(['pinnedIssuer' => null, 'probe' => null], 'issuerAny'),
            'pinned with a slash' => $error(['pinnedIssuer' => self::ISSUER . '/'], 'issuerOther'),
            'another program keeps the tokens' => $warning(['keepsTokens' => false], 'tokensElsewhere'),
            'users are taken over by name' => $warning(['takesOverByName' => true], 'takeOverName'),
            'large' => $warning(['probe' => self::probe([], 6001)], 'sizeLarge'),
            'clock of the server behind' => $warning(['clockDifference' => 11], 'clockDiffers'),
            'clock of the server ahead' => $warning(['clockDifference' => -3600], 'clockDiffers'),
            'a slow request' => [['clockDifference' => -10], [], []],
            'clock of the proxy behind' => $warning(['probe' => self::probe(['iat' => 995])], 'proxyClockDiffers'),
            'clock of the proxy ahead' => $warning(['probe' => self::probe(['iat' => 1007])], 'proxyClockDiffers'),
            'no logout' => $error(['logoutUrl' => null], 'logoutNone'),
            'no logout, with a button' => $warning(['logoutUrl' => null, 'signsInAutomatically' => false], 'logoutNone'),
            'logout at the provider' => $warning(['logoutUrl' => self::ISSUER . '/logout?a=b'], 'logoutElsewhere'),
            'logout at another host' => $warning(['logoutUrl' => '//idp.example.com/logout'], 'logoutElsewhere'),
            'logout by its whole address' => [['logoutUrl' => self::SITE . '/oidc/logout?a=b'], [], []],
            'no password' => $error(['hasFallback' => false], 'fallbackOff'),
            'the address of the proxy' => $warning(['address' => '127.0.0.1'], 'addressOfProxy'),
            'the address of a proxy that says nothing' => $warning(['address' => '127.0.0.1', 'statedAddress' => null],
                'addressOfProxy'),
            'the address of a proxy in front of this one' => $warning(['address' => '127.0.0.1',
                'statedAddress' => '127.0.0.1'], 'addressOfProxy'),
            'the address of a container' => $warning(['address' => '172.18.0.3'], 'addressOfProxy'),
            'a proxy that says nothing' => [['statedAddress' => null], [], []],
            'no address at all' => [['address' => ''], [], []],
            'the address of the proxy, IPv6' => $warning(['address' => '::1'], 'addressOfProxy'),
            'on the machine itself' => [['address' => '127.0.0.1', 'statedAddress' => '127.0.0.1',
                'siteUrl' => 'https://crm.localhost:8443', 'browserUrl' => 'https://crm.localhost:8443/'], [], []],
            'cannot write' => $error(['isStorageWritable' => false], 'storage-admin'),
        ];
    }

    /**
     * @param array<string, mixed> $changes
     * @param list<string> $errors
     * @param list<string> $warnings
     * @dataProvider provide
     */
    #[DataProvider('provide')]
    public function testFindings(array $changes, array $errors, array $warnings): void
    {
        $facts = self::facts($changes);

        $this->assertSame($errors, self::found($facts, State::Error));
        $this->assertSame($warnings, self::found($facts, State::Warning));

        $texts = json_decode((string) file_get_contents(self::TEXTS), true, flags: JSON_THROW_ON_ERROR);

        foreach (Examination::run($facts) as $check) {
            $this->assertArrayHasKey($check->text, $texts[$check->category]);

            preg_match_all('/\{(\w+)\}/', $texts[$check->category][$check->text], $matches);

            $this->assertSame([], array_diff($matches[1], array_keys($check->values)), $check->text);
        }
    }

    public function testTheWorstFirst(): void
    {
        $facts = self::facts(['isStorageWritable' => false, 'isSwitchedOn' => false]);
        $states = array_map(fn (Check $check) => $check->state, Examination::run($facts));

        $this->assertSame([State::Error, State::Warning, State::Ok], array_slice($states, 0, 3));
    }

    public function testAProbeGoesByWayOfTheBrowser(): void
    {
        $sent = json_decode((string) json_encode(self::probe()));
        $probe = Probe::fromBrowser(200, $sent);

        $this->assertEquals(self::probe(), $probe);
        $this->assertSame(['anna', self::ISSUER, 900, 1, true],
            [$probe->name, $probe->issuer, $probe->length, $probe->age, $probe->hasUsername]);

        $this->assertSame('why not', self::refused(Reason::Signature)->detail);
    }

    public function testNonsenseOfABrowser(): void
    {
        foreach ([[null, null], ['200', (object) []], [200, []], [200, 'x'], [200, null]] as [$status, $data]) {
            $this->assertFalse(Probe::fromBrowser($status, $data)->isAnswer);
        }

        $probe = Probe::fromBrowser(200, (object) ['reason' => ['x'], 'length' => '5', 'age' => 1.5, 'name' => (object) [],
            'hasUsername' => 'yes', 'issuer' => "a\nb" . str_repeat('c', 5000)]);

        $this->assertSame([null, 0, null, null, false],
            [$probe->reason, $probe->length, $probe->age, $probe->name, $probe->hasUsername]);
        $this->assertStringStartsWith('a bc', (string) $probe->issuer);
        $this->assertSame(1000, strlen((string) $probe->issuer));
    }
}
