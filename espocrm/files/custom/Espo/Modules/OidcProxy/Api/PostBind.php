<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Api;

use Espo\Core\Api\Action;
use Espo\Core\Api\Request;
use Espo\Core\Api\Response;
use Espo\Core\Api\ResponseComposer;
use Espo\Core\Authentication\AuthToken\Manager as AuthTokenManager;
use Espo\Core\Exceptions\BadRequest;
use Espo\Core\Exceptions\Conflict;
use Espo\Core\Exceptions\Forbidden;
use Espo\Entities\User;
use Espo\Modules\OidcProxy\Authentication\Identity;
use Espo\Modules\OidcProxy\Authentication\OrmAccountDirectory;
use Espo\Modules\OidcProxy\Authentication\Params;
use Espo\Modules\OidcProxy\Session\SessionHeader;
use Espo\Modules\OidcProxy\SignIn\BindTicket;
use Espo\ORM\EntityManager;

/**
 * The owner of a user, signed in with the password, binds it to the subject that the proxy has signed in.
 *
 * @noinspection PhpUnused
 */
final class PostBind implements Action
{
    /** EspoCRM prefers this one to `Authorization`. */
    private const HEADER_AUTHORIZATION = 'Espo-Authorization';

    public function __construct(
        private Params $params,
        private User $user,
        private AuthTokenManager $authTokenManager,
        private EntityManager $entityManager,
        private OrmAccountDirectory $directory,
    ) {}

    public function process(Request $request): Response
    {
        $secret = $this->params->getOwnSecret();

        if (!$this->params->isEnabled() || $secret === null) {
            throw new Forbidden("The proxy does not do the sign-in.");
        }

        if (!$this->isByPassword($request)) {
            throw new Forbidden("The password is needed.");
        }

        $text = $request->getParsedBody()->ticket ?? null;
        $session = SessionHeader::read($request);
        $ticket = is_string($text) && $session !== null ? BindTicket::open($secret, $text, $session, time()) : null;

        if (!$ticket) {
            throw new BadRequest("No ticket, or one that is too old or of another session.");
        }

        if ($ticket->getUserId() !== $this->user->getId()) {
            throw new Forbidden("The ticket is for another user.");
        }

        $this->entityManager->getTransactionManager()->run(fn () => $this->bind($ticket));

        return ResponseComposer::json(true);
    }

    /**
     * Not by a token of a session that is open: another site can make a browser send that one.
     */
    private function isByPassword(Request $request): bool
    {
        $password = $request->getServerParam('PHP_AUTH_PW');

        return
            is_string($password) &&
            $password !== '' &&
            !$request->hasHeader(self::HEADER_AUTHORIZATION) &&
            !$this->authTokenManager->get(trim($password));
    }

    private function bind(BindTicket $ticket): void
    {
        $locked = $this->directory->lock($ticket->getUserId());
        $user = $this->entityManager->getRDBRepositoryByClass(User::class)->getById($ticket->getUserId());

        if (!$locked || !$user || $locked->get(Identity::FIELD_KEY) !== null) {
            throw new Conflict("The user belongs to a subject already.");
        }

        $user->setMultiple([
            Identity::FIELD_ISSUER => $ticket->getIdentity()->getIssuer(),
            Identity::FIELD_SUBJECT => $ticket->getIdentity()->getSubject(),
        ]);

        $this->entityManager->saveEntity($user);
    }
}
