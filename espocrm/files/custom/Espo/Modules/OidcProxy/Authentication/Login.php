<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\Api\Request;
use Espo\Core\Authentication\Login as LoginInterface;
use Espo\Core\Authentication\Login\Data;
use Espo\Core\Authentication\Result;
use Espo\Core\Authentication\Result\FailReason;
use Espo\Core\Utils\Log;
use Espo\Modules\OidcProxy\Session\SessionHeader;
use Espo\Modules\OidcProxy\Session\TokenSessions;

/**
 * The method `Oidc` for everything but the callback: auth tokens and passwords, as EspoCRM does it.
 * While the proxy does the sign-in, a code of an identity provider is not accepted beside it, and a token only
 * together with the session of the proxy that it belongs to.
 */
final class Login implements LoginInterface
{
    private const CODE_USERNAME = '**oidc';

    public function __construct(
        private OidcLoginFactory $oidcLoginFactory,
        private Params $params,
        private TokenSessions $tokenSessions,
        private Log $log,
    ) {}

    public function login(Data $data, Request $request): Result
    {
        if ($data->getUsername() === self::CODE_USERNAME && $this->params->isEnabled()) {
            $this->log->warning("OidcProxy: Sign-in with an authorization code refused, the proxy does the sign-in.");

            return Result::fail(FailReason::METHOD_NOT_ALLOWED);
        }

        $token = $data->getAuthToken();

        if (
            $token &&
            $this->params->isEnabled() &&
            !$this->tokenSessions->admit($token, SessionHeader::read($request))
        ) {
            return Result::fail(FailReason::TOKEN_NOT_FOUND);
        }

        return $this->oidcLoginFactory
            ->create()
            ->login($data, $request);
    }
}
