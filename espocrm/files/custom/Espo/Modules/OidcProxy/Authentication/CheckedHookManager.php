<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Closure;
use Espo\Core\Api\Request;
use Espo\Core\Authentication\AuthenticationData;
use Espo\Core\Authentication\Hook\Manager;
use Espo\Core\Authentication\Result;
use Espo\Core\InjectableFactory;
use Espo\Core\Utils\Metadata;

/**
 * Writes the user after everything in EspoCRM that can refuse a sign-in has let it pass, and before there is an auth
 * token: maintenance mode, inactive users, the second factor and the hooks of a login come first.
 */
final class CheckedHookManager extends Manager
{
    private const ON_LOGIN = 'processOnLogin';

    /**
     * @param Closure(): void $write
     */
    public function __construct(
        Metadata $metadata,
        InjectableFactory $injectableFactory,
        private Closure $write,
    ) {
        parent::__construct($metadata, $injectableFactory);
    }

    public function processOnLogin(Result $result, AuthenticationData $data, Request $request): void
    {
        // As of v8.3.
        if (method_exists(Manager::class, self::ON_LOGIN)) {
            parent::processOnLogin($result, $data, $request);
        }

        if ($result->isSuccess()) {
            ($this->write)();
        }
    }

    public function processOnSuccess(Result $result, AuthenticationData $data, Request $request): void
    {
        if (!method_exists(Manager::class, self::ON_LOGIN)) {
            ($this->write)();
        }

        parent::processOnSuccess($result, $data, $request);
    }
}
