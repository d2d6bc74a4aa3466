<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Session;

use Espo\Core\Api\Request;
use Espo\Core\ApplicationState;
use Espo\Core\Authentication\AuthenticationData;
use Espo\Core\Authentication\Hook\OnResult;
use Espo\Core\Authentication\Result;

/**
 * A token that EspoCRM has just made, whichever way its user signed in, belongs to the session that it was made in,
 * and takes the place of the one that the browser held. Also while the proxy's sign-in is off: so nobody is signed
 * out when it is switched on.
 *
 * @noinspection PhpUnused
 */
final class BindNewToken implements OnResult
{
    public function __construct(
        private TokenSessions $tokenSessions,
        private TokenStore $tokenStore,
        private ApplicationState $applicationState,
    ) {}

    public function process(Result $result, AuthenticationData $data, Request $request): void
    {
        $session = SessionHeader::read($request);
        $tokenId = $this->findTokenId($result);

        if ($session === null || $tokenId === null || $this->applicationState->isPortal()) {
            return;
        }

        $this->tokenSessions->bind($tokenId, $session);

        $former = $this->tokenStore->findHeld($request);

        if ($former && $former->getId() !== $tokenId) {
            $this->tokenStore->end($former);
        }
    }

    /**
     * EspoCRM leaves it at the user who is signed in: another one, if an administrator signs in as somebody else.
     */
    private function findTokenId(Result $result): ?string
    {
        $user = $this->applicationState->hasUser() ? $this->applicationState->getUser() : null;

        return $result->getUser()?->get('authTokenId') ?? $user?->get('authTokenId');
    }
}
