<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\SignIn;

use Closure;
use Espo\Core\ApplicationUser;
use Espo\Core\Authentication\Authentication;
use Espo\Core\Authentication\Hook\Manager as HookManager;
use Espo\Core\Authentication\LoginFactory;
use Espo\Core\Binding\BindingContainerBuilder;
use Espo\Core\InjectableFactory;
use Espo\Core\Utils\Metadata;
use Espo\Entities\User;
use Espo\Modules\OidcProxy\Authentication\CheckedHookManager;
use Espo\Modules\OidcProxy\Authentication\IdentityLogin;
use Espo\Modules\OidcProxy\Authentication\OidcLoginFactory;
use Espo\Modules\OidcProxy\Authentication\OneLoginFactory;
use Espo\Modules\OidcProxy\Authentication\SilentApplicationUser;

/**
 * Makes EspoCRM's authentication work inside of an entry point that needs none.
 */
final class AuthenticationFactory
{
    public function __construct(
        private InjectableFactory $injectableFactory,
        private OidcLoginFactory $oidcLoginFactory,
        private SilentApplicationUser $applicationUser,
        private Metadata $metadata,
    ) {}

    /**
     * For auth tokens.
     */
    public function create(): Authentication
    {
        return $this->injectableFactory->createWithBinding(Authentication::class, $this->builder()->build());
    }

    /**
     * For an auth token that may belong to another session of the proxy: the callback looks whose it is before it
     * takes it over.
     */
    public function createForAnySession(): Authentication
    {
        $login = $this->oidcLoginFactory->create();

        return $this->injectableFactory->createWithBinding(
            Authentication::class,
            $this->builder()
                ->bindInstance(LoginFactory::class, new OneLoginFactory($login))
                ->build()
        );
    }

    /**
     * For the user of a verified assertion, or for nobody.
     *
     * @param ?Closure(): void $write Called once EspoCRM has nothing against it.
     */
    public function createForIdentity(?User $user, ?Closure $write = null): Authentication
    {
        $builder = $this->builder()
            ->bindInstance(LoginFactory::class, new OneLoginFactory(new IdentityLogin($user)));

        if ($write) {
            $builder->bindInstance(HookManager::class,
                new CheckedHookManager($this->metadata, $this->injectableFactory, $write));
        }

        return $this->injectableFactory->createWithBinding(Authentication::class, $builder->build());
    }

    private function builder(): BindingContainerBuilder
    {
        return BindingContainerBuilder::create()
            ->bindInstance(ApplicationUser::class, $this->applicationUser);
    }
}
