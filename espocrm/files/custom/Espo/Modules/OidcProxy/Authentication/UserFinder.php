<?php
// SPDX-License-Identifier: Apache-2.0

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\Authentication\Oidc\ConfigDataProvider;
use Espo\Core\Authentication\Oidc\UserProvider\Sync;
use Espo\Core\Authentication\Oidc\UserProvider\UserRepository;
use Espo\Entities\User;
use Espo\Modules\OidcProxy\Assertion\Claims;

/**
 * Finds whom EspoCRM's own OIDC code will find.
 */
class UserFinder
{
    public function __construct(
        private ConfigDataProvider $configDataProvider,
        private Sync $sync,
        private UserRepository $userRepository,
    ) {}

    public function getUsernameClaim(): string
    {
        return (string) $this->configDataProvider->getUsernameClaim();
    }

    /**
     * @return ?string A normalized username. Null if the claims have none.
     */
    public function getUsername(Claims $claims): ?string
    {
        $username = $claims->getText($this->getUsernameClaim());

        if ($username === null) {
            return null;
        }

        return $this->sync->normalizeUsername($username);
    }

    public function find(Claims $claims): ?User
    {
        $username = $this->getUsername($claims);

        if ($username === null) {
            return null;
        }

        return $this->userRepository->findByUsername($username);
    }
}
