<?php
// SPDX-License-Identifier: Apache-2.0

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\ApplicationState;
use Espo\Core\Authentication\Oidc\Login as OidcLogin;
use Espo\Core\Authentication\Util\MethodProvider;
use Espo\Core\Utils\Config;

/**
 * Settings of the sign-in by the reverse proxy.
 */
class Params
{
    public const PROXY = 'oidcProxy';
    public const SECRET = 'oidcProxySecret';
    public const FALLBACK = 'oidcFallback';

    public function __construct(
        private Config $config,
        private MethodProvider $methodProvider,
        private ApplicationState $applicationState,
    ) {}

    /**
     * Portals are not concerned: they have an authentication of their own.
     */
    public function isEnabled(): bool
    {
        return
            $this->config->get(self::PROXY) &&
            !$this->applicationState->isPortal() &&
            $this->methodProvider->get() === OidcLogin::NAME;
    }

    public function getSecret(): string
    {
        return (string) $this->config->get(self::SECRET);
    }

    public function getSiteUrl(): string
    {
        return (string) $this->config->get('siteUrl');
    }

    public function hasFallback(): bool
    {
        return (bool) $this->config->get(self::FALLBACK);
    }

    public function getLogoutUrl(): ?string
    {
        return $this->config->get('oidcLogoutUrl') ?: null;
    }
}
