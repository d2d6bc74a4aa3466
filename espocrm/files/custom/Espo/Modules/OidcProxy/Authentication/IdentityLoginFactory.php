<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\Authentication\Login;
use Espo\Core\Authentication\LoginFactory;
use Espo\Core\Authentication\Oidc\Login as OidcLogin;
use LogicException;

/**
 * Gives EspoCRM's authentication the login of one verified assertion.
 *
 * @noinspection PhpMissingParentConstructorInspection
 */
final class IdentityLoginFactory extends LoginFactory
{
    public function __construct(private IdentityLogin $login) {}

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
