<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Session;

use Espo\Core\Authentication\AuthToken\AuthToken;
use Espo\Core\Utils\Log;
use Espo\Entities\AuthToken as AuthTokenEntity;
use Espo\ORM\EntityManager;

/**
 * An auth token of EspoCRM is good only together with the session of the proxy that it was made or taken over in.
 */
final class TokenSessions
{
    public const FIELD = 'oidcProxySessions';

    public function __construct(
        private EntityManager $entityManager,
        private TokenStore $tokenStore,
        private Log $log,
    ) {}

    /**
     * Whether a token may be used in a session. One that comes with another session is ended.
     */
    public function admit(AuthToken $token, ?string $session): bool
    {
        if (!$token instanceof AuthTokenEntity) {
            // A manager of somebody's own keeps it. There is no place for the session in it.
            return true;
        }

        $list = $this->load($token->getId());

        if (self::fits($list, $session)) {
            return true;
        }

        if ($session === null || $list->isEmpty()) {
            $this->log->info("OidcProxy: A token of the user {$token->getUserId()} is refused: " .
                ($session === null ?
                    "it belongs to a session of the proxy, and the request came without X-Oidc-Session." :
                    "it was made without a session of the proxy."));

            return false;
        }

        $this->tokenStore->end($token);

        $this->log->warning("OidcProxy: A token of the user {$token->getUserId()} came with another session of " .
            "the proxy ($session) and is ended.");

        return false;
    }

    /**
     * Whether a token belongs to a session. Nothing is changed.
     */
    public function isOf(AuthTokenEntity $token, ?string $session): bool
    {
        return self::fits($this->load($token->getId()), $session);
    }

    /**
     * Makes a token belong to a session, beside those that it belongs to already.
     */
    public function bind(string $tokenId, string $session): void
    {
        $this->entityManager->getTransactionManager()->run(function () use ($tokenId, $session): void {
            $token = $this->entityManager
                ->getRDBRepository(AuthTokenEntity::ENTITY_TYPE)
                ->select(['id', self::FIELD])
                ->where(['id' => $tokenId])
                ->forUpdate()
                ->findOne();

            if (!$token) {
                return;
            }

            $token->set(self::FIELD, self::read($token->get(self::FIELD))->with($session)->toString());

            $this->entityManager->saveEntity($token);
        });
    }

    private function load(string $tokenId): SessionList
    {
        $token = $this->entityManager
            ->getRDBRepository(AuthTokenEntity::ENTITY_TYPE)
            ->select(['id', self::FIELD])
            ->where(['id' => $tokenId])
            ->findOne();

        return self::read($token?->get(self::FIELD));
    }

    private static function read(mixed $value): SessionList
    {
        return SessionList::parse(is_string($value) ? $value : null);
    }

    private static function fits(SessionList $list, ?string $session): bool
    {
        return $session === null ? $list->isEmpty() : $list->has($session);
    }
}
