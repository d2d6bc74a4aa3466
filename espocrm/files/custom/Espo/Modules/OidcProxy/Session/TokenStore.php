<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Session;

use Espo\Core\Api\Request;
use Espo\Core\Api\Response;
use Espo\Core\Authentication\AuthToken\Manager;
use Espo\Entities\AuthToken as AuthTokenEntity;
use Espo\ORM\EntityManager;

/**
 * The auth token that a browser holds in its cookies.
 */
final class TokenStore
{
    private const COOKIE_TOKEN = 'auth-token';
    private const COOKIE_SECRET = 'auth-token-secret';
    private const SECRET_PATTERN = '/^[0-9a-f]{32}$/D';

    public function __construct(
        private EntityManager $entityManager,
        private Manager $manager,
    ) {}

    /**
     * The active token of a browser. When a session ends, the page of EspoCRM drops the cookie with the token; the one
     * with its secret, which only a server can drop, still names it. Tokens of portals are not concerned.
     */
    public function findHeld(Request $request): ?AuthTokenEntity
    {
        $secret = $request->getCookieParam(self::COOKIE_SECRET) ?? '';

        return
            $this->findByToken($request->getCookieParam(self::COOKIE_TOKEN) ?? '', $secret) ??
            $this->findBySecret($secret);
    }

    public function end(AuthTokenEntity $token): void
    {
        // The manager wants it as it gives it out.
        $stored = $this->manager->get($token->getToken());

        if ($stored) {
            $this->manager->inactivate($stored);
        }
    }

    /**
     * Takes the cookies away from a browser.
     */
    public function expireCookies(Response $response): void
    {
        foreach ([self::COOKIE_TOKEN, self::COOKIE_SECRET] as $name) {
            $response->addHeader('Set-Cookie',
                "$name=deleted; path=/; expires=Thu, 01 Jan 1970 00:00:01 GMT; SameSite=Lax" .
                ($name === self::COOKIE_SECRET ? '; HttpOnly' : ''));
        }
    }

    private function findByToken(string $value, string $secret): ?AuthTokenEntity
    {
        if ($value === '') {
            return null;
        }

        $token = $this->manager->get($value);

        if (
            !$token instanceof AuthTokenEntity ||
            !$token->isActive() ||
            $token->getPortalId() ||
            $token->getSecret() && !hash_equals($token->getSecret(), $secret)
        ) {
            return null;
        }

        return $token;
    }

    private function findBySecret(string $secret): ?AuthTokenEntity
    {
        if (!preg_match(self::SECRET_PATTERN, $secret)) {
            return null;
        }

        $token = $this->entityManager
            ->getRDBRepository(AuthTokenEntity::ENTITY_TYPE)
            ->select(['id', 'token'])
            ->where(['secret' => $secret, 'isActive' => true, 'portalId' => null])
            ->findOne();

        return $token ? $this->findByToken((string) $token->get('token'), $secret) : null;
    }
}
