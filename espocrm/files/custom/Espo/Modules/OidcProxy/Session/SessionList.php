<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Session;

/**
 * Sessions of the proxy that one auth token belongs to, the latest first. Immutable.
 *
 * There may be several: a sign-in while another one is under way, a request that is still on its way while its
 * session is replaced. Each was brought by a verified sign-in of the same user, and the proxy sends the ID of a
 * session only while that session lives.
 */
final class SessionList
{
    private const MAX_COUNT = 8;
    private const ID_PATTERN = '/^[0-9a-f]{16}$/D';

    /**
     * @param string[] $list
     */
    private function __construct(private array $list) {}

    /**
     * @param ?string $text IDs with spaces between them, as kept with the token.
     */
    public static function parse(?string $text): self
    {
        return new self(array_values(array_filter(explode(' ', $text ?? ''), self::isId(...))));
    }

    public static function isId(string $text): bool
    {
        return preg_match(self::ID_PATTERN, $text) === 1;
    }

    public function isEmpty(): bool
    {
        return $this->list === [];
    }

    public function has(string $id): bool
    {
        return in_array($id, $this->list, true);
    }

    public function with(string $id): self
    {
        $rest = array_filter($this->list, fn (string $other) => $other !== $id);

        return new self(array_slice([$id, ...$rest], 0, self::MAX_COUNT));
    }

    public function toString(): string
    {
        return implode(' ', $this->list);
    }
}
