<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\EntryPoints;

use Espo\Core\Api\Request;
use Espo\Core\Api\Response;
use Espo\Core\Authentication\AuthenticationData;
use Espo\Core\EntryPoint\EntryPoint;
use Espo\Core\EntryPoint\Traits\NoAuth;
use Espo\Core\Exceptions\Forbidden;
use Espo\Core\Exceptions\ServiceUnavailable;
use Espo\Modules\OidcProxy\SignIn\AuthenticationFactory;
use Espo\Modules\OidcProxy\SignIn\RequestFactory;

/**
 * EspoCRM's WebSocket server knows the token in the URL and nothing of the session. The proxy asks here first, and
 * goes on to the server only by the header of this answer.
 *
 * @noinspection PhpUnused
 */
final class OidcProxyWebSocket implements EntryPoint
{
    use NoAuth;

    /** The arguments of the handshake. Not in the URL, which a web server may log. */
    private const HEADER_ARGUMENTS = 'X-Oidc-Websocket';
    private const HEADER_GO_ON = 'X-Accel-Redirect';
    private const LOCATION = '/wss/admitted';
    /** Exactly what EspoCRM's page sends: whatever reads it then, reads the same. */
    private const PATTERN = '/^authToken=([0-9A-Za-z-]+)&userId=([0-9A-Za-z-]+)$/D';

    public function __construct(
        private AuthenticationFactory $authenticationFactory,
        private RequestFactory $requestFactory,
    ) {}

    public function run(Request $request, Response $response): void
    {
        $response->setHeader('Cache-Control', 'no-store');

        $arguments = $request->getHeader(self::HEADER_ARGUMENTS) ?? '';

        if (
            !preg_match(self::PATTERN, $arguments, $matches) ||
            $this->findUserId($matches[1], $response) !== $matches[2]
        ) {
            $response->setStatus(401);

            return;
        }

        $response->setHeader(self::HEADER_GO_ON, self::LOCATION . '?' . $arguments);
    }

    private function findUserId(string $token, Response $response): ?string
    {
        $data = AuthenticationData::create()
            ->withPassword($token)
            ->withByTokenOnly(true);

        try {
            $result = $this->authenticationFactory
                ->create()
                ->login($data, $this->requestFactory->createForToken('', $token), $response);
        } catch (Forbidden|ServiceUnavailable) {
            return null;
        }

        return $result->isSuccess() ? $result->getUser()?->getId() : null;
    }
}
