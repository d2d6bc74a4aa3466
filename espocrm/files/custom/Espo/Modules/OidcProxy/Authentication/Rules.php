<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Modules\OidcProxy\SignIn\Reason;
use Espo\Modules\OidcProxy\SignIn\Refused;

/**
 * Whose user of EspoCRM it is. A user belongs to one subject; names and addresses lead to a user only while it belongs
 * to nobody, and never to an administrator.
 */
final class Rules
{
    public function __construct(
        private AccountDirectory $directory,
        private Policy $policy,
    ) {}

    /**
     * @param ?Username $username Null if the provider sends none: a subject that is known needs none.
     * @param ?string $emailAddress One that the provider vouches for.
     * @throws Refused
     */
    public function decide(Identity $identity, ?Username $username, ?string $emailAddress): Decision
    {
        $known = $this->directory->findByIdentity($identity);

        if ($known) {
            return $this->admit($known, $identity);
        }

        try {
            return $this->decideAtFirst($identity, $username, $emailAddress);
        } catch (Refused $e) {
            // Another tab of the same person may have been faster, just now.
            $known = $this->directory->findByIdentity($identity) ?? throw $e;
        }

        return $this->admit($known, $identity);
    }

    /**
     * For one request of a program: nobody is created or taken over by it, and API users, who cannot sign in, may come.
     *
     * @throws Refused
     */
    public function decideForProgram(Identity $identity): Account
    {
        $known = $this->directory->findByIdentity($identity);

        if (!$known) {
            throw new Refused(Reason::NoUser, "no user belongs to {$identity->describe()}", $identity);
        }

        $this->checkMaySignIn($known, $identity, true);

        return $known;
    }

    private function admit(Account $account, Identity $identity): Decision
    {
        $this->checkMaySignIn($account, $identity);

        return Decision::known($identity, $account);
    }

    /**
     * For a subject that no user belongs to.
     *
     * @throws Refused
     */
    private function decideAtFirst(Identity $identity, ?Username $username, ?string $emailAddress): Decision
    {
        if (!$username) {
            throw new Refused(Reason::UsernameClaim, "the assertion has no username", $identity);
        }

        $account = $this->findByEmailAddress($identity, $emailAddress);

        if ($account) {
            $this->checkMayBeTakenOver($account, $identity);

            return Decision::takeOver($identity, $account);
        }

        $this->checkLength($username, $identity);

        $account = $this->directory->findByUserName($username->getNormalized());

        if ($account) {
            $this->checkName($account, $username, $identity);
            $this->checkMayBeTakenOver($account, $identity);

            if ($this->policy->takeOver !== TakeOver::UserName) {
                throw new Refused(Reason::NameTaken,
                    "the user '{$account->getUserName()}' belongs to no subject, and the settings do not let " .
                    "{$identity->describe()} take it over by its name", $identity, $account);
            }

            return Decision::takeOver($identity, $account);
        }

        if (!$this->policy->createUser) {
            throw new Refused(Reason::NoUser, "there is no user '{$username->getNormalized()}', and none was created",
                $identity);
        }

        return Decision::create($identity, $username->getNormalized());
    }

    /**
     * Users of others are nobody's business here: people may share an address.
     */
    private function findByEmailAddress(Identity $identity, ?string $emailAddress): ?Account
    {
        if ($this->policy->takeOver !== TakeOver::EmailAddress || $emailAddress === null) {
            return null;
        }

        $list = array_values(array_filter(
            $this->directory->findByEmailAddress($emailAddress),
            fn (Account $account) => !$account->isBound() && ($account->isRegular() || $account->isAdmin())
        ));

        if (count($list) > 1) {
            throw new Refused(Reason::EmailAmbiguous,
                count($list) . " users have the e-mail address of {$identity->describe()}", $identity);
        }

        return $list[0] ?? null;
    }

    private function checkLength(Username $username, Identity $identity): void
    {
        $max = $this->policy->userNameMaxLength;

        if ($max !== null && $username->getLength() > $max) {
            throw new Refused(Reason::UsernameTooLong,
                "the username has {$username->getLength()} characters, EspoCRM allows $max", $identity, null,
                ['limit' => (string) $max]);
        }
    }

    private function checkName(Account $account, Username $username, Identity $identity): void
    {
        if (!$username->isNameOf($account->getUserName())) {
            throw new Refused(Reason::NameAltered,
                "the username '{$username->getRaw()}' would become '{$account->getUserName()}', which is somebody else",
                $identity);
        }
    }

    private function checkMayBeTakenOver(Account $account, Identity $identity): void
    {
        if ($account->isBound()) {
            throw new Refused(Reason::OtherSubject,
                "the user '{$account->getUserName()}' belongs to another subject than {$identity->describe()}",
                $identity);
        }

        $this->checkMaySignIn($account, $identity);

        if ($account->isAdmin()) {
            throw new Refused(Reason::AdminUnbound,
                "the administrator '{$account->getUserName()}' belongs to no subject, and " .
                "{$identity->describe()} cannot take it over without its password", $identity, $account);
        }
    }

    private function checkMaySignIn(Account $account, Identity $identity, bool $byProgram = false): void
    {
        $name = "the user '{$account->getUserName()}'";
        $isOfType = $account->isRegular() || $account->isAdmin() || $byProgram && $account->isApi();

        [$reason, $message] = match (true) {
            $account->isPortal() => [Reason::PortalUser, "$name is a portal user"],
            $account->isSuperAdmin() => [Reason::SuperAdmin, "$name is a super-admin"],
            !$isOfType => [Reason::UserType, "$name is neither a regular user nor an administrator"],
            !$account->isActive() => [Reason::Inactive, "$name is not active"],
            $account->isAdmin() && !$this->policy->allowAdmin =>
                [Reason::Admin, "$name is an administrator, which OIDC does not allow here"],
            default => [null, ''],
        };

        if ($reason) {
            throw new Refused($reason, $message, $identity);
        }
    }
}
