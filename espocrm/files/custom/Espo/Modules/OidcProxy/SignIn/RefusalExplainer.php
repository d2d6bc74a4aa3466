<?php
// SPDX-License-Identifier: Apache-2.0

namespace Espo\Modules\OidcProxy\SignIn;

use Espo\Core\Authentication\Oidc\ConfigDataProvider;
use Espo\Core\Authentication\Result;
use Espo\Entities\User;

/**
 * EspoCRM's login code says only that a user is not found. This says why.
 */
class RefusalExplainer
{
    public function __construct(private ConfigDataProvider $configDataProvider) {}

    public function explain(?User $user, string $username, Result $result): Refused
    {
        if (!$user) {
            return new Refused(Reason::NoUser, "there is no user '$username', and none was created");
        }

        $name = "the user '$username'";

        if (!$user->isActive()) {
            return new Refused(Reason::Inactive, "$name is not active");
        }

        if ($user->isPortal()) {
            return new Refused(Reason::PortalUser, "$name is a portal user");
        }

        if ($user->isSuperAdmin()) {
            return new Refused(Reason::SuperAdmin, "$name is a super-admin");
        }

        if ($user->isAdmin() && !$this->configDataProvider->allowAdminUser()) {
            return new Refused(Reason::Admin, "$name is an administrator, which OIDC does not allow here");
        }

        if (!$user->isRegular() && !$user->isAdmin()) {
            return new Refused(Reason::UserType, "$name is neither a regular user nor an administrator");
        }

        return new Refused(Reason::Denied, "EspoCRM refused $name: " . ($result->getFailReason() ?? 'no reason given'));
    }
}
