<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Classes\MetadataBuilders\SettingsRows;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

final class SettingsRowsTest extends TestCase
{
    private const DEFINITION = __DIR__ .
        '/../../../espocrm/files/custom/Espo/Modules/OidcProxy/Resources/metadata/authenticationMethods/Oidc.json';

    /** EspoCRM 8.4, without the extension. */
    private const STOCK = [
        ['oidcClientId', 'oidcClientSecret'],
        ['oidcAuthorizationRedirectUri', false],
        ['oidcAuthorizationEndpoint', 'oidcTokenEndpoint'],
        ['oidcJwksEndpoint', 'oidcJwtSignatureAlgorithmList'],
        ['oidcScopes', 'oidcUsernameClaim'],
        ['oidcCreateUser', 'oidcSync'],
        ['oidcTeams', 'oidcGroupClaim'],
        ['oidcSyncTeams', false],
        ['oidcFallback', 'oidcAllowRegularUserFallback'],
        ['oidcAllowAdminUser', 'oidcLogoutUrl'],
    ];

    private static function definition(): array
    {
        return json_decode((string) file_get_contents(self::DEFINITION), true, flags: JSON_THROW_ON_ERROR)['settings'];
    }

    /**
     * @return list<string>
     */
    private static function clientFields(): array
    {
        $fields = array_filter(self::definition()['dynamicLogic']['fields'], fn ($logic) => in_array(
            ['type' => 'isFalse', 'attribute' => 'oidcProxy'], $logic['visible']['conditionGroup'] ?? []));

        return array_keys($fields);
    }

    /**
     * As EspoCRM merges them: those of the extension behind its own.
     */
    private static function arrange(array $stock): array
    {
        $own = array_map(fn ($row) => array_column($row, 'name'), array_slice(self::definition()['layout']['rows'], 1));
        $rows = array_map(
            fn ($row) => array_map(fn ($name) => $name === false ? false : (object) ['name' => $name], $row),
            [...$stock, ...$own]
        );

        return array_map(
            fn ($row) => array_map(fn ($cell) => $cell === false ? false : $cell->name, $row),
            SettingsRows::arrange($rows, self::clientFields())
        );
    }

    public static function provide(): array
    {
        $info = self::STOCK;
        array_splice($info, 4, 0, [['oidcUserInfoEndpoint', false]]);

        return [
            '8.4' => [self::STOCK],
            '9.1' => [[...$info, ['oidcAuthorizationPrompt', false]]],
            '10.0' => [[...$info, ['oidcAuthorizationPrompt', 'oidcAuthorizationPkce']]],
            'with fields that nobody knows' => [[...$info, ['oidcNew', 'oidcNewer'], ['oidcNewest', 'oidcClientNew']]],
            'without some' => [array_slice(self::STOCK, 0, 6)],
            'empty' => [[]],
        ];
    }

    /**
     * @dataProvider provide
     */
    #[DataProvider('provide')]
    public function testEachFieldOnceAndNoHoles(array $stock): void
    {
        $rows = self::arrange($stock);
        $names = array_filter(array_merge(...$rows));
        $expected = array_filter(array_merge(...[...$stock, ...array_map(fn ($row) => array_column($row, 'name'),
            array_slice(self::definition()['layout']['rows'], 1))]));

        $this->assertEqualsCanonicalizing($expected, $names);
        $this->assertSame(['oidcProxy', 'oidcProxyAutoSignIn'], $rows[0]);
        $this->assertSame(['oidcProxySecret', 'oidcProxyProviderIssuer'], $rows[1]);
        $this->assertSame(['oidcProxyPublicKeys'], $rows[2]);

        foreach ($rows as $row) {
            $own = array_filter($row, fn ($name) => $name !== false);
            $client = array_intersect($own, self::clientFields());

            $this->assertNotSame([], $own);
            $this->assertTrue($client === [] || count($client) === count($own), implode(' ', $own));
            $this->assertNotFalse($row[0], 'a hole at the left');
        }
    }

    public function testOrder(): void
    {
        $this->assertSame([
            ['oidcProxy', 'oidcProxyAutoSignIn'],
            ['oidcProxySecret', 'oidcProxyProviderIssuer'],
            ['oidcProxyPublicKeys'],
            ['oidcClientId', 'oidcClientSecret'],
            ['oidcAuthorizationRedirectUri', 'oidcScopes'],
            ['oidcAuthorizationEndpoint', 'oidcTokenEndpoint'],
            ['oidcJwksEndpoint', 'oidcJwtSignatureAlgorithmList'],
            ['oidcUsernameClaim', 'oidcLogoutUrl'],
            ['oidcFallback', 'oidcAllowRegularUserFallback'],
            ['oidcProxyTakeOver', 'oidcProxyUnverifiedEmail'],
            ['oidcCreateUser', 'oidcSync'],
            ['oidcTeams', 'oidcGroupClaim'],
            ['oidcSyncTeams', 'oidcAllowAdminUser'],
        ], self::arrange(self::STOCK));
    }
}
