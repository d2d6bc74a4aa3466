<?php
// SPDX-License-Identifier: Apache-2.0

namespace Espo\Modules\OidcProxy\SignIn;

use Espo\Core\ApplicationUser;
use Espo\Core\Authentication\Authentication;
use Espo\Core\Authentication\LoginFactory;
use Espo\Core\Authentication\Oidc\UserProvider;
use Espo\Core\Authentication\Oidc\UserProvider\DefaultUserProvider;
use Espo\Core\Binding\BindingContainerBuilder;
use Espo\Core\InjectableFactory;
use Espo\Modules\OidcProxy\Assertion\Claims;
use Espo\Modules\OidcProxy\Authentication\IdentityLogin;
use Espo\Modules\OidcProxy\Authentication\IdentityLoginFactory;
use Espo\Modules\OidcProxy\Authentication\SilentApplicationUser;

/**
 * Makes EspoCRM's authentication work inside of an entry point that needs none.
 */
class AuthenticationFactory
{
    public function __construct(
        private InjectableFactory $injectableFactory,
        private SilentApplicationUser $applicationUser,
    ) {}

    /**
     * For auth tokens.
     */
    public function create(): Authentication
    {
        return $this->injectableFactory->createWithBinding(Authentication::class, $this->builder()->build());
    }

    /**
     * For the user of a verified assertion.
     */
    public function createForIdentity(Claims $claims): Authentication
    {
        $login = $this->injectableFactory->createWithBinding(
            IdentityLogin::class,
            BindingContainerBuilder::create()
                ->bindInstance(Claims::class, $claims)
                ->bindImplementation(UserProvider::class, DefaultUserProvider::class)
                ->build()
        );

        $binding = $this->builder()
            ->bindInstance(LoginFactory::class, new IdentityLoginFactory($login))
            ->build();

        return $this->injectableFactory->createWithBinding(Authentication::class, $binding);
    }

    private function builder(): BindingContainerBuilder
    {
        return BindingContainerBuilder::create()
            ->bindInstance(ApplicationUser::class, $this->applicationUser);
    }
}
