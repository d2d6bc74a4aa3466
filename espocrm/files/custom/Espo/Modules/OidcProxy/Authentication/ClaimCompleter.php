<?php
// SPDX-License-Identifier: Apache-2.0

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Modules\OidcProxy\Assertion\Claims;

/**
 * EspoCRM's sync empties each field whose claim is missing. A provider that does not send a claim says nothing about
 * the field, so the value that is there is kept.
 */
class ClaimCompleter
{
    public const NAME_LIST = ['email', 'phone_number', 'given_name', 'family_name', 'gender'];

    /**
     * @param ?array<string, ?string> $current Values that a known user has, by claim. Null for a new user.
     * @return array<string, mixed>
     */
    public function complete(Claims $claims, ?array $current, string $username): array
    {
        $data = $claims->getAll();

        $fallback = $current ?? $this->deriveName($claims, $username);

        foreach (self::NAME_LIST as $name) {
            $data[$name] = $claims->getText($name) ?? $fallback[$name] ?? null;
        }

        return $data;
    }

    /**
     * A record of a user needs a last name to be seen in lists.
     *
     * @return array<string, ?string>
     */
    private function deriveName(Claims $claims, string $username): array
    {
        if ($claims->getText('given_name') || $claims->getText('family_name')) {
            return [];
        }

        $name = trim($claims->getText('name') ?? $username);

        $position = strrpos($name, ' ');

        if ($position === false) {
            return ['family_name' => $name];
        }

        return [
            'given_name' => trim(substr($name, 0, $position)),
            'family_name' => substr($name, $position + 1),
        ];
    }
}
