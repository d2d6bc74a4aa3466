<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Assertion\Claims;
use Espo\Modules\OidcProxy\Authentication\Groups;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

final class GroupsTest extends TestCase
{
    private const MAPPED = ['sales', 'support', 'everybody', 'unset'];

    /**
     * @return array<array{mixed, string[], string[]}>
     */
    public static function provideGroups(): array
    {
        $overage = (object) ['src1' => (object) ['endpoint' => 'https://graph.example']];

        return [
            // groups, teams before, teams after
            [['s'], [], ['sales', 'everybody', 'unset']],
            [['s', 'p', 'x', 7, null, ['s']], [], ['sales', 'support', 'everybody', 'unset']],
            ['p', ['sales'], ['support', 'everybody', 'unset']],
            [[], ['sales', 'support'], ['everybody', 'unset']],
            ['', ['sales'], ['everybody', 'unset']],
            [['S', 's '], ['sales'], ['everybody', 'unset']],
            [['0'], ['sales'], ['everybody', 'unset']],
            // unknown: nothing is taken away, nothing given but what everybody has
            [null, ['sales', 'by-hand'], ['by-hand', 'sales', 'everybody', 'unset']],
            [$overage, ['sales'], ['sales', 'everybody', 'unset']],
            [true, ['sales'], ['sales', 'everybody', 'unset']],
            [7, [], ['everybody', 'unset']],
            [[7, null], ['sales'], ['sales', 'everybody', 'unset']],
            [[(object) ['name' => 's']], ['support'], ['support', 'everybody', 'unset']],
            // teams of other origin stay
            [['s'], ['by-hand', 'support'], ['by-hand', 'sales', 'everybody', 'unset']],
        ];
    }

    /**
     * @dataProvider provideGroups
     * @param string[] $before
     * @param string[] $after
     */
    #[DataProvider('provideGroups')]
    public function testTeams(mixed $value, array $before, array $after): void
    {
        $groups = Groups::fromClaims(new Claims(['groups' => $value, '_claim_names' => (object) []]), 'groups');

        $columns = (object) [
            'sales' => (object) ['group' => 's'],
            'support' => (object) ['group' => 'p'],
            'everybody' => (object) ['group' => ''],
        ];

        $this->assertSame($after, $groups->chooseTeamIds($before, self::MAPPED, $columns));

        $isList = is_array($value) && (!$value || array_filter($value, is_string(...)));

        $this->assertSame($isList || is_string($value), $groups->areKnown());
    }
}
