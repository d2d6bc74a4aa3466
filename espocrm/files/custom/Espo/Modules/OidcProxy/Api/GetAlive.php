<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Api;

use Espo\Core\Api\Action;
use Espo\Core\Api\Request;
use Espo\Core\Api\Response;
use Espo\Core\Api\ResponseComposer;

/**
 * Somebody types, which EspoCRM's page needs no request for. This one is use of the session at the proxy.
 *
 * @noinspection PhpUnused
 */
final class GetAlive implements Action
{
    public function process(Request $request): Response
    {
        return ResponseComposer::json(true);
    }
}
