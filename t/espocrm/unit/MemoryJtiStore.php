<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Assertion\JtiStore;

final class MemoryJtiStore implements JtiStore
{
    /** @var array<string, int> */
    public array $used = [];

    public function use(string $jti, int $expires, int $now): bool
    {
        if (isset($this->used[$jti])) {
            return false;
        }

        $this->used[$jti] = $expires;

        return true;
    }
}
