<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Assertion;

interface JtiStore
{
    /**
     * Mark an ID as used.
     *
     * @param string $jti An ID, any text.
     * @param int $expires When it may be forgotten, seconds since the epoch.
     * @return bool False if it has been used before.
     * @throws Refused If it cannot be stored.
     */
    public function use(string $jti, int $expires, int $now): bool;
}
