<?php
// SPDX-License-Identifier: Apache-2.0

namespace Espo\Modules\OidcProxy\SignIn;

use Espo\Core\Api\Request;
use Espo\Core\Api\Response;
use Espo\Core\Authentication\AuthenticationData;
use Espo\Core\Authentication\Result;
use Espo\Core\Exceptions\Forbidden;
use Espo\Core\Exceptions\ServiceUnavailable;
use Espo\Entities\User;
use Espo\Modules\OidcProxy\Assertion\Claims;
use Espo\Modules\OidcProxy\Authentication\UserFinder;
use RuntimeException;

/**
 * Signs the user of a verified assertion in.
 */
class Service
{
    private const COOKIE_AUTH_TOKEN = 'auth-token';
    /** EspoCRM refuses an empty password. Nothing compares it. */
    private const NO_PASSWORD = '-';

    public function __construct(
        private AuthenticationFactory $authenticationFactory,
        private RequestFactory $requestFactory,
        private UserFinder $userFinder,
        private RefusalExplainer $refusalExplainer,
    ) {}

    /**
     * @throws Refused
     */
    public function signIn(Claims $claims, Request $request, Response $response): Session
    {
        $username = $this->userFinder->getUsername($claims);

        if ($username === null) {
            $claim = $this->userFinder->getUsernameClaim();

            throw new Refused(Reason::UsernameClaim, "the assertion has no claim '$claim' with a username");
        }

        // A second token in one browser would end the session of its other tabs.
        $tokenUser = $this->findUserOfToken($request, $response, $username);

        $user = $this->loginByIdentity($claims, $username, $response, $tokenUser === null);

        if ($tokenUser && $tokenUser->getId() !== $user->getId()) {
            throw new RuntimeException("The user changed while signing in.");
        }

        return new Session(
            $user->getId(),
            (string) $user->getUserName(),
            (string) ($tokenUser ?? $user)->get('token')
        );
    }

    /**
     * The user, if the browser holds a token that is valid and belongs to that user.
     */
    private function findUserOfToken(Request $request, Response $response, string $username): ?User
    {
        $token = $request->getCookieParam(self::COOKIE_AUTH_TOKEN);

        if (!$token) {
            return null;
        }

        $data = AuthenticationData::create()
            ->withPassword($token)
            ->withByTokenOnly(true);

        try {
            $result = $this->authenticationFactory
                ->create()
                ->login($data, $this->requestFactory->createForToken($username, $token), $response);
        } catch (Forbidden|ServiceUnavailable) {
            // The login by identity runs into the same and explains it.
            return null;
        }

        $user = $result->isSuccess() ? $result->getUser() : null;

        if (!$user || $user->getUserName() !== $username || !$user->get('token')) {
            return null;
        }

        return $user;
    }

    private function loginByIdentity(Claims $claims, string $username, Response $response, bool $withToken): User
    {
        $data = AuthenticationData::create()
            ->withUsername($username)
            ->withPassword(self::NO_PASSWORD);

        $request = $this->requestFactory->createForIdentity($username, $withToken);

        try {
            $result = $this->authenticationFactory
                ->createForIdentity($claims)
                ->login($data, $request, $response);
        } catch (ServiceUnavailable $e) {
            throw new Refused(Reason::Maintenance, "EspoCRM is in maintenance mode", previous: $e);
        } catch (Forbidden $e) {
            throw new Refused(Reason::Forbidden, "a rule of EspoCRM forbids the sign-in of '$username'", previous: $e);
        }

        return $this->getUser($result, $claims, $username);
    }

    private function getUser(Result $result, Claims $claims, string $username): User
    {
        if ($result->isSecondStepRequired()) {
            throw new Refused(Reason::SecondStep, "'$username' has two-factor authentication of EspoCRM switched on");
        }

        $user = $result->getUser();

        if (!$result->isSuccess() || !$user) {
            throw $this->refusalExplainer->explain($this->userFinder->find($claims), $username, $result);
        }

        return $user;
    }
}
