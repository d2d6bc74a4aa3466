<?php
// SPDX-License-Identifier: Apache-2.0

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\Api\Request;
use Espo\Core\Authentication\Login as LoginInterface;
use Espo\Core\Authentication\Login\Data;
use Espo\Core\Authentication\Oidc\UserProvider;
use Espo\Core\Authentication\Result;
use Espo\Core\Authentication\Result\FailReason;
use Espo\Modules\OidcProxy\Assertion\Claims;

/**
 * Signs in the user of a verified assertion. Made for one request, by the callback only: no request data
 * is read here, so that no other door leads to it.
 */
class IdentityLogin implements LoginInterface
{
    public function __construct(
        private UserProvider $userProvider,
        private UserInfoFactory $userInfoFactory,
        private Claims $claims,
    ) {}

    public function login(Data $data, Request $request): Result
    {
        $userInfo = $this->userInfoFactory->create($this->claims);

        /** @phpstan-ignore-next-line The type of the parameter depends on the version of EspoCRM. */
        $user = $this->userProvider->get($userInfo);

        if (!$user) {
            return Result::fail(FailReason::USER_NOT_FOUND);
        }

        $result = Result::success($user);

        // As of v8.4.
        if (method_exists($result, 'withBypassSecondStep')) {
            return $result->withBypassSecondStep();
        }

        return $result;
    }
}
