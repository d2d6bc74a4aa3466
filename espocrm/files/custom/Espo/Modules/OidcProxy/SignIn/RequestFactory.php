<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\SignIn;

use Espo\Core\Api\Request;
use Espo\Core\Api\RequestWrapper;
use Espo\Core\Utils\Route;
use Psr\Http\Message\ServerRequestInterface;
use Slim\Factory\ServerRequestCreatorFactory;

/**
 * Makes requests as EspoCRM's authentication expects them. The credentials in the real one do not count: whoever
 * follows a link to the callback must not choose them.
 */
final class RequestFactory
{
    private const CREDENTIAL_HEADER_LIST = [
        'X-Another-User',
        'Espo-Authorization',
        'Espo-Authorization-By-Token',
        'Espo-Authorization-Code',
        'Espo-Authorization-Create-Token-Secret',
        'X-Api-Key',
        'X-Hmac-Authorization',
    ];

    public function createForIdentity(string $username, bool $withToken): Request
    {
        $request = $this->createBare();

        if (!$withToken) {
            return $this->wrap($request);
        }

        return $this->wrap(
            $request
                ->withHeader('Espo-Authorization', base64_encode($username . ':-'))
                ->withHeader('Espo-Authorization-Create-Token-Secret', 'true')
        );
    }

    public function createForToken(string $username, string $token): Request
    {
        return $this->wrap(
            $this->createBare()
                ->withHeader('Espo-Authorization', base64_encode($username . ':' . $token))
                ->withHeader('Espo-Authorization-By-Token', 'true')
        );
    }

    private function createBare(): ServerRequestInterface
    {
        $request = ServerRequestCreatorFactory::create()->createServerRequestFromGlobals();

        foreach (self::CREDENTIAL_HEADER_LIST as $name) {
            $request = $request->withoutHeader($name);
        }

        return $request;
    }

    private function wrap(ServerRequestInterface $request): Request
    {
        return new RequestWrapper($request, Route::detectBasePath());
    }
}
