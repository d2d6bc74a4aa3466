<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\Session\Session;

/**
 * A session of PHP that nothing is kept in. EspoCRM 10 opens one for its own login with a code, at each check of a
 * token: requests of one browser would wait for each other.
 */
final class NoSession implements Session
{
    public function get(string $key): mixed
    {
        return null;
    }

    public function set(string $key, mixed $value): Session
    {
        return $this;
    }

    public function clear(string $key): void {}

    public function clearAll(): void {}

    public function has(string $key): bool
    {
        return false;
    }
}
