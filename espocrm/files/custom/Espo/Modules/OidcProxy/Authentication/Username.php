<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

/**
 * A username as the provider says it, and what EspoCRM makes of it. Immutable.
 */
final class Username
{
    private function __construct(
        private string $raw,
        private string $normalized,
    ) {}

    /**
     * @param string $normalized The same name in lower case, with characters that EspoCRM does not allow replaced.
     * @return ?self Null if it is no name at all.
     */
    public static function create(string $raw, string $normalized): ?self
    {
        if (trim($raw) === '' || $normalized === '' || Text::hasControls($raw)) {
            return null;
        }

        return new self($raw, $normalized);
    }

    public function getRaw(): string
    {
        return $this->raw;
    }

    public function getNormalized(): string
    {
        return $this->normalized;
    }

    public function getLength(): int
    {
        return mb_strlen($this->normalized, 'UTF-8');
    }

    /**
     * Whether a user found by the normalized name has this very name. Case loses nothing. A replaced character does,
     * and so does a database that finds `jose` for `josé`.
     */
    public function isNameOf(string $userName): bool
    {
        return Text::lower($this->raw) === Text::lower($userName);
    }
}
