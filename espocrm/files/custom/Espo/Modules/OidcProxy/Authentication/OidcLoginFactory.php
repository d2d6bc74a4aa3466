<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\Authentication\Oidc\Login as OidcLogin;
use Espo\Core\Binding\BindingContainerBuilder;
use Espo\Core\InjectableFactory;
use Espo\Core\Session\Session;

/**
 * EspoCRM's own login of the method `Oidc`.
 */
final class OidcLoginFactory
{
    public function __construct(
        private InjectableFactory $injectableFactory,
        private Params $params,
    ) {}

    public function create(): OidcLogin
    {
        $builder = BindingContainerBuilder::create();

        // As of EspoCRM 10. Only its login with a code needs it, which there is none of beside the proxy.
        if ($this->params->isEnabled() && interface_exists(Session::class)) {
            $builder->bindInstance(Session::class, new NoSession());
        }

        return $this->injectableFactory->createWithBinding(OidcLogin::class, $builder->build());
    }
}
