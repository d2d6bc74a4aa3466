<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

/**
 * Who signs in: a user that is there, or one to be created. Immutable.
 */
final class Decision
{
    private function __construct(
        private Identity $identity,
        private ?Account $account,
        private string $userName,
        private bool $toBind,
    ) {}

    /**
     * A user that belongs to the subject.
     */
    public static function known(Identity $identity, Account $account): self
    {
        return new self($identity, $account, $account->getUserName(), false);
    }

    /**
     * A user that belongs to nobody, and to the subject from now on.
     */
    public static function takeOver(Identity $identity, Account $account): self
    {
        return new self($identity, $account, $account->getUserName(), true);
    }

    public static function create(Identity $identity, string $userName): self
    {
        return new self($identity, null, $userName, true);
    }

    public function getIdentity(): Identity
    {
        return $this->identity;
    }

    /**
     * Null for a user to be created.
     */
    public function getAccount(): ?Account
    {
        return $this->account;
    }

    public function getUserName(): string
    {
        return $this->userName;
    }

    /**
     * Whether the subject has yet to be noted with the user.
     */
    public function isToBind(): bool
    {
        return $this->toBind;
    }
}
