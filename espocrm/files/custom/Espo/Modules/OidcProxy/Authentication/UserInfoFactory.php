<?php
// SPDX-License-Identifier: Apache-2.0

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\Authentication\Jwt\Token\Payload;
use Espo\Core\Authentication\Oidc\ConfigDataProvider;
use Espo\Core\Authentication\Oidc\UserProvider\UserInfo;
use Espo\Core\Utils\Json;
use Espo\Core\Utils\Log;
use Espo\Entities\User;
use Espo\Modules\OidcProxy\Assertion\Claims;

/**
 * Makes what EspoCRM's user provider expects from verified claims.
 */
class UserInfoFactory
{
    public function __construct(
        private UserFinder $userFinder,
        private ClaimCompleter $claimCompleter,
        private ConfigDataProvider $configDataProvider,
        private Log $log,
    ) {}

    /**
     * @return UserInfo|Payload Before v9.1 the user provider takes a payload.
     */
    public function create(Claims $claims): UserInfo|Payload
    {
        $this->warnAboutGroups($claims);

        $user = $this->userFinder->find($claims);

        $data = $this->claimCompleter->complete(
            $claims,
            $user ? self::getCurrent($user) : null,
            $this->userFinder->getUsername($claims) ?? ''
        );

        $payload = Payload::fromRaw(Json::encode((object) $data));

        if (!class_exists(UserInfo::class)) {
            return $payload;
        }

        return new UserInfo($payload, []);
    }

    /**
     * @return array<string, ?string>
     */
    private static function getCurrent(User $user): array
    {
        $gender = $user->get('gender');

        return [
            'email' => $user->get('emailAddress'),
            'phone_number' => $user->get('phoneNumber'),
            'given_name' => $user->get('firstName'),
            'family_name' => $user->get('lastName'),
            'gender' => is_string($gender) ? strtolower($gender) : null,
        ];
    }

    /**
     * A missing group claim means "no groups": rights must not outlive the groups that gave them.
     */
    private function warnAboutGroups(Claims $claims): void
    {
        $name = $this->configDataProvider->getGroupClaim();

        if (
            $name &&
            $claims->get($name) === null &&
            $this->configDataProvider->syncTeams() &&
            $this->configDataProvider->getTeamIds()
        ) {
            $this->log->warning("OidcProxy: The assertion has no claim '$name', teams that are mapped to groups are " .
                "taken from the user.");
        }
    }
}
