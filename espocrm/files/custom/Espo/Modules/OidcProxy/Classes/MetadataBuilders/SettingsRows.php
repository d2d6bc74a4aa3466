<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Classes\MetadataBuilders;

/**
 * The rows of the settings. With the switch on, and with it off, no row has a hole where a field is hidden.
 */
final class SettingsRows
{
    /** Null: where the fields of the OpenID Connect client go, which are there while the switch is off. */
    private const ORDER = [
        ['oidcProxy', 'oidcProxyAutoSignIn'],
        ['oidcProxySecret', 'oidcProxyProviderIssuer'],
        ['oidcProxyPublicKeys'],
        null,
        ['oidcUsernameClaim', 'oidcLogoutUrl'],
        ['oidcFallback', 'oidcAllowRegularUserFallback'],
        ['oidcProxyTakeOver', 'oidcProxyUnverifiedEmail'],
        ['oidcCreateUser', 'oidcSync'],
        ['oidcTeams', 'oidcGroupClaim'],
        ['oidcSyncTeams', 'oidcAllowAdminUser'],
    ];

    /**
     * @param array<mixed> $rows Lists of cells: an object with a name, or false for an empty one.
     * @param list<string> $clientFields
     * @return list<list<mixed>>
     */
    public static function arrange(array $rows, array $clientFields): array
    {
        $cells = [];
        $clientRows = [];

        foreach ($rows as $row) {
            $named = array_filter(is_array($row) ? $row : [], fn ($cell) => isset($cell->name));
            $client = array_filter($named, fn ($cell) => in_array($cell->name, $clientFields, true));

            if ($client && count($client) === count($named)) {
                $clientRows[] = array_values($row);

                continue;
            }

            foreach ($client as $cell) {
                $clientRows = self::place($clientRows, $cell);
            }

            foreach (array_diff_key($named, $client) as $cell) {
                $cells[$cell->name] = $cell;
            }
        }

        $result = [];

        foreach (self::ORDER as $names) {
            if ($names === null) {
                array_push($result, ...$clientRows);

                continue;
            }

            $own = array_intersect_key($cells, array_flip($names));
            $cells = array_diff_key($cells, $own);

            usort($own, fn ($a, $b) => array_search($a->name, $names) <=> array_search($b->name, $names));

            array_push($result, ...self::pair($own, count($names)));
        }

        // What this version of EspoCRM, or somebody else, has beside.
        return [...$result, ...self::pair($cells, 2)];
    }

    /**
     * Into the last empty cell, or a row of its own.
     *
     * @param list<list<mixed>> $rows
     * @return list<list<mixed>>
     */
    private static function place(array $rows, object $cell): array
    {
        foreach (array_reverse(array_keys($rows)) as $i) {
            $j = array_search(false, $rows[$i], true);

            if ($j !== false) {
                $rows[$i][$j] = $cell;

                return $rows;
            }
        }

        $rows[] = [$cell, false];

        return $rows;
    }

    /**
     * @param array<object> $cells
     * @return list<list<mixed>>
     */
    private static function pair(array $cells, int $columns): array
    {
        return array_map(
            fn ($row) => array_pad($row, $columns, false),
            array_chunk(array_values($cells), max($columns, 1))
        );
    }
}
