<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\SignIn;

use Closure;
use Espo\Core\Api\Request;
use Espo\Core\Api\Response;
use Espo\Core\Authentication\AuthenticationData;
use Espo\Core\Authentication\Result;
use Espo\Core\Exceptions\Forbidden;
use Espo\Core\Exceptions\ServiceUnavailable;
use Espo\Entities\AuthToken as AuthTokenEntity;
use Espo\Entities\User;
use Espo\Modules\OidcProxy\Assertion\Claims;
use Espo\Modules\OidcProxy\Authentication\Decision;
use Espo\Modules\OidcProxy\Authentication\Overtaken;
use Espo\Modules\OidcProxy\Authentication\Resolver;
use Espo\Modules\OidcProxy\Authentication\UserWriter;
use Espo\Modules\OidcProxy\Session\SessionHeader;
use Espo\Modules\OidcProxy\Session\TokenSessions;
use Espo\Modules\OidcProxy\Session\TokenStore;

/**
 * Signs the user of a verified assertion in.
 */
final class Service
{
    /** EspoCRM refuses an empty password. Nothing compares it. */
    private const NO_PASSWORD = '-';
    /** Tabs that sign the same person in for the first time, all at once. */
    private const MAX_ATTEMPTS = 5;

    public function __construct(
        private AuthenticationFactory $authenticationFactory,
        private RequestFactory $requestFactory,
        private Resolver $resolver,
        private UserWriter $userWriter,
        private TokenStore $tokenStore,
        private TokenSessions $tokenSessions,
    ) {}

    /**
     * @throws Refused
     */
    public function signIn(Claims $claims, Request $request, Response $response): Session
    {
        $session = SessionHeader::read($request);

        if ($session === null) {
            throw new Refused(Reason::SessionMissing, "the request came without X-Oidc-Session, the vhost is older " .
                "than this extension");
        }

        for ($attempt = 1; true; $attempt++) {
            try {
                return $this->attempt($claims, $session, $request, $response);
            } catch (Overtaken $e) {
                if ($attempt === self::MAX_ATTEMPTS) {
                    throw $e;
                }
            }
        }
    }

    /**
     * @throws Refused
     * @throws Overtaken
     */
    private function attempt(Claims $claims, string $session, Request $request, Response $response): Session
    {
        try {
            $decision = $this->resolver->resolve($claims);
        } catch (Refused $e) {
            $this->noteRefusal($this->resolver->getNameForLog($claims), $response);

            throw $e;
        }

        // A second token in one browser would end the session of its other tabs.
        $held = $this->tokenStore->findHeld($request);
        $tokenUser = $held ? $this->findUserOfToken($held, $decision, $response) : null;

        $user = $this->loginByIdentity($decision, $claims, $response, $tokenUser === null);

        if ($held && $tokenUser) {
            $this->tokenSessions->bind($held->getId(), $session);
        }

        return new Session(
            $user->getId(),
            (string) $user->getUserName(),
            (string) ($tokenUser ?? $user)->get('token')
        );
    }

    /**
     * The user, if the token is valid and belongs to that user.
     */
    private function findUserOfToken(AuthTokenEntity $held, Decision $decision, Response $response): ?User
    {
        $token = $held->getToken();
        $account = $decision->getAccount();

        if (!$account) {
            return null;
        }

        $data = AuthenticationData::create()
            ->withPassword($token)
            ->withByTokenOnly(true);

        try {
            $result = $this->authenticationFactory
                ->createForAnySession()
                ->login($data, $this->requestFactory->createForToken($account->getUserName(), $token), $response);
        } catch (Forbidden|ServiceUnavailable) {
            // The login by identity runs into the same and explains it.
            return null;
        }

        $user = $result->isSuccess() ? $result->getUser() : null;

        if (!$user || $user->getId() !== $account->getId() || !$user->get('token')) {
            return null;
        }

        return $user;
    }

    private function loginByIdentity(Decision $decision, Claims $claims, Response $response, bool $withToken): User
    {
        $username = $decision->getUserName();
        $user = $this->userWriter->load($decision);

        $result = $this->login($username, $user, $response, $withToken,
            fn () => $this->userWriter->write($user, $decision, $claims));

        if ($result->isSecondStepRequired()) {
            throw new Refused(Reason::SecondStep, "'$username' has two-factor authentication of EspoCRM switched on",
                $decision->getIdentity());
        }

        if (!$result->isSuccess() || !$result->getUser()) {
            throw new Refused(Reason::Denied,
                "EspoCRM refused the user '$username': " . ($result->getFailReason() ?? 'no reason given'),
                $decision->getIdentity());
        }

        return $result->getUser();
    }

    /**
     * For the auth log of EspoCRM and its limit of failed logins.
     */
    private function noteRefusal(string $username, Response $response): void
    {
        $this->login($username, null, $response, false);
    }

    /**
     * @param ?Closure(): void $write
     */
    private function login(
        string $username,
        ?User $user,
        Response $response,
        bool $withToken,
        ?Closure $write = null
    ): Result {

        $data = AuthenticationData::create()
            ->withUsername($username)
            ->withPassword(self::NO_PASSWORD);

        $request = $this->requestFactory->createForIdentity($username, $withToken);

        try {
            return $this->authenticationFactory
                ->createForIdentity($user, $write)
                ->login($data, $request, $response);
        } catch (ServiceUnavailable $e) {
            throw new Refused(Reason::Maintenance, "EspoCRM is in maintenance mode", previous: $e);
        } catch (Forbidden $e) {
            throw new Refused(Reason::Forbidden, "a rule of EspoCRM forbids the sign-in of '$username'", previous: $e);
        }
    }
}
