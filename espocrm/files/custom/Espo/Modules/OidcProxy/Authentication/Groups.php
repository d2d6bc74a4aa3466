<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Modules\OidcProxy\Assertion\Claims;
use stdClass;

/**
 * The groups of a user at the provider, and the teams that they stand for.
 */
final class Groups
{
    /**
     * @param ?string[] $list Null if they are unknown.
     */
    private function __construct(private ?array $list) {}

    /**
     * Unknown is not none. A provider leaves the claim out when the list is too long for a token ("overage", Entra ID),
     * when a scope is missing, or while it cannot look the groups up. None is an empty list. A list of something else
     * than texts, as of groups with their numbers, says nothing that could be compared.
     */
    public static function fromClaims(Claims $claims, string $claimName): self
    {
        $value = $claims->get($claimName);

        if (is_string($value)) {
            return new self($value === '' ? [] : [$value]);
        }

        if (!is_array($value)) {
            return new self(null);
        }

        $list = array_values(array_filter($value, is_string(...)));

        return new self($list || !$value ? $list : null);
    }

    public function areKnown(): bool
    {
        return $this->list !== null;
    }

    /**
     * Teams that are mapped come and go with the groups. Others stay, whoever gave them.
     *
     * @param string[] $currentIds Teams that the user is in.
     * @param string[] $mappedIds Teams that are mapped.
     * @param stdClass $columns The group of a mapped team: `{id: {group: "..."}}`. One without a group is for everybody.
     * @return string[]
     */
    public function chooseTeamIds(array $currentIds, array $mappedIds, stdClass $columns): array
    {
        $result = array_values(array_diff($currentIds, $mappedIds));

        foreach ($mappedIds as $id) {
            $group = $columns->$id->group ?? null;

            $isIn = match (true) {
                $group === null || $group === '' => true,
                $this->list === null => in_array($id, $currentIds, true),
                default => in_array($group, $this->list, true),
            };

            if ($isIn) {
                $result[] = $id;
            }
        }

        return $result;
    }
}
