<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Api;

use Espo\Core\Api\Action;
use Espo\Core\Api\Request;
use Espo\Core\Api\Response;
use Espo\Core\Api\ResponseComposer;
use Espo\Core\Exceptions\Forbidden;
use Espo\Entities\User;
use Espo\Modules\OidcProxy\Authentication\Params;
use Espo\Modules\OidcProxy\Diagnosis\Ticket;

/**
 * What the form of the settings cannot know: whether there is a secret, never the secret; and what its test shows to the
 * callback.
 *
 * @noinspection PhpUnused
 */
final class GetState implements Action
{
    public function __construct(
        private User $user,
        private Params $params,
    ) {}

    public function process(Request $request): Response
    {
        if (!$this->user->isAdmin()) {
            throw new Forbidden();
        }

        $ownSecret = $this->params->getOwnSecret();

        return ResponseComposer::json([
            'secret' => $this->params->getSecretState(),
            'ticket' => $ownSecret === null ? null : Ticket::make($ownSecret, time()),
        ]);
    }
}
