<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace tests\OidcProxy;

use Espo\Modules\OidcProxy\Authentication\Account;
use Espo\Modules\OidcProxy\Authentication\AccountDirectory;
use Espo\Modules\OidcProxy\Authentication\Identity;

final class MemoryAccountDirectory implements AccountDirectory
{
    /** @var array{Account, ?Identity, ?string, string[]}[] */
    private array $rows = [];
    private bool $isSlow = false;

    /**
     * @param string[] $alsoFoundBy Names for which the collation of a database finds the user as well.
     */
    public function add(
        Account $account,
        ?Identity $identity = null,
        ?string $emailAddress = null,
        array $alsoFoundBy = []
    ): self {

        $this->rows[] = [$account, $identity, $emailAddress, $alsoFoundBy];

        return $this;
    }

    /**
     * The next question for an identity is asked before another request has written the answer.
     */
    public function beSlowOnce(): void
    {
        $this->isSlow = true;
    }

    public function findByIdentity(Identity $identity): ?Account
    {
        if ($this->isSlow) {
            $this->isSlow = false;

            return null;
        }

        foreach ($this->rows as [$account, $own]) {
            if ($own?->equals($identity)) {
                return $account;
            }
        }

        return null;
    }

    public function findByUserName(string $userName): ?Account
    {
        foreach ($this->rows as [$account, , , $others]) {
            if (strtolower($account->getUserName()) === strtolower($userName) || in_array($userName, $others, true)) {
                return $account;
            }
        }

        return null;
    }

    public function findByEmailAddress(string $address): array
    {
        return array_column(array_filter($this->rows, fn ($row) => $row[2] === $address), 0);
    }
}
