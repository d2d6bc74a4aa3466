<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\Api\Request;
use Espo\Core\Authentication\Login as LoginInterface;
use Espo\Core\Authentication\Login\Data;
use Espo\Core\Authentication\Result;
use Espo\Core\Authentication\Result\FailReason;
use Espo\Entities\User;

/**
 * Signs in the user of a verified assertion, or nobody. Made for one request, by the callback only: no request data
 * is read here, so that no other door leads to it.
 */
final class IdentityLogin implements LoginInterface
{
    public function __construct(private ?User $user) {}

    public function login(Data $data, Request $request): Result
    {
        if (!$this->user) {
            return Result::fail(FailReason::USER_NOT_FOUND);
        }

        $result = Result::success($this->user);

        // As of v8.4.
        if (method_exists($result, 'withBypassSecondStep')) {
            return $result->withBypassSecondStep();
        }

        return $result;
    }
}
