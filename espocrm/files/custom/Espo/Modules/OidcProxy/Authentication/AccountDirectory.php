<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

/**
 * The users of EspoCRM that are not deleted. Reads only.
 */
interface AccountDirectory
{
    public function findByIdentity(Identity $identity): ?Account;

    /**
     * @param string $userName Compared as the database compares, which may be too lenient.
     */
    public function findByUserName(string $userName): ?Account;

    /**
     * @return Account[] Those whose primary address it is, compared without regard to ASCII case.
     */
    public function findByEmailAddress(string $address): array;
}
