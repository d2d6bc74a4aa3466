<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\Authentication\Login;
use Espo\Core\Authentication\LoginFactory;
use Espo\Core\Authentication\Oidc\Login as OidcLogin;
use LogicException;

/**
 * Gives EspoCRM's authentication one login, whatever is configured.
 *
 * @noinspection PhpMissingParentConstructorInspection
 */
final class OneLoginFactory extends LoginFactory
{
    public function __construct(private Login $login) {}

    public function create(string $method, bool $isPortal = false): Login
    {
        if ($method !== OidcLogin::NAME || $isPortal) {
            throw new LogicException("Not a method of the proxy.");
        }

        return $this->login;
    }

    public function createDefault(): Login
    {
        return $this->login;
    }
}
