<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\ApplicationUser;
use Espo\Entities\User;

/**
 * The entry point needs no authentication, hence the system user is already set, and a container takes a user only
 * once. The one who signs in becomes the current user with the next request.
 */
final class SilentApplicationUser extends ApplicationUser
{
    public function setUser(User $user): void
    {}
}
