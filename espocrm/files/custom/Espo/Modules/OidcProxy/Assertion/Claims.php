<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Assertion;

/**
 * Claims of a verified assertion. Immutable.
 */
final class Claims
{
    /**
     * @param array<string, mixed> $data As decoded from JSON, objects being stdClass.
     */
    public function __construct(private array $data) {}

    public function get(string $name): mixed
    {
        return $this->data[$name] ?? null;
    }

    /**
     * A claim that is text and not empty, otherwise null.
     */
    public function getText(string $name): ?string
    {
        $value = $this->get($name);

        if (!is_string($value) || trim($value) === '') {
            return null;
        }

        return $value;
    }

    /**
     * @return array<string, mixed>
     */
    public function getAll(): array
    {
        return $this->data;
    }
}
