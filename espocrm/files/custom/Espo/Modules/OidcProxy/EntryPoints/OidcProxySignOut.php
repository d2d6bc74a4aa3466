<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\EntryPoints;

use Espo\Core\Api\Request;
use Espo\Core\Api\Response;
use Espo\Core\EntryPoint\EntryPoint;
use Espo\Core\EntryPoint\Traits\NoAuth;
use Espo\Modules\OidcProxy\Session\TokenStore;

/**
 * Ends the auth token that the browser holds. "Log Out" asks for it when the session of the proxy is gone already, so
 * that EspoCRM's own way is closed. Whoever has the cookie with the secret may do it, nobody else can.
 *
 * @noinspection PhpUnused
 */
final class OidcProxySignOut implements EntryPoint
{
    use NoAuth;

    private const STATUS_NO_CONTENT = 204;

    public function __construct(private TokenStore $tokenStore) {}

    public function run(Request $request, Response $response): void
    {
        $token = $this->tokenStore->findHeld($request);

        if ($token) {
            $this->tokenStore->end($token);
        }

        $this->tokenStore->expireCookies($response);

        $response
            ->setStatus(self::STATUS_NO_CONTENT)
            ->setHeader('Cache-Control', 'no-store');
    }
}
