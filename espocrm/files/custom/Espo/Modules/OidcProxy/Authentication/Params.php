<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\ApplicationState;
use Espo\Core\Authentication\Oidc\Login as OidcLogin;
use Espo\Core\Authentication\Util\MethodProvider;
use Espo\Core\Utils\Config;
use Espo\Modules\OidcProxy\Assertion\Key;
use Espo\Modules\OidcProxy\Assertion\PublicKeys;
use Espo\Modules\OidcProxy\Assertion\Reason;
use Espo\Modules\OidcProxy\Assertion\Refused;
use Espo\Modules\OidcProxy\Assertion\SharedSecret;

/**
 * Settings of the sign-in by the reverse proxy.
 */
final class Params
{
    public const PROXY = 'oidcProxy';
    public const AUTO_SIGN_IN = 'oidcProxyAutoSignIn';
    public const SECRET = 'oidcProxySecret';
    public const PUBLIC_KEYS = 'oidcProxyPublicKeys';
    public const FALLBACK = 'oidcFallback';
    public const PROVIDER_ISSUER = 'oidcProxyProviderIssuer';
    public const TAKE_OVER = 'oidcProxyTakeOver';
    public const UNVERIFIED_EMAIL = 'oidcProxyUnverifiedEmail';
    public const USERNAME_CLAIM = 'oidcUsernameClaim';
    private const REGULAR_USER_FALLBACK = 'oidcAllowRegularUserFallback';

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
        return $this->isSwitchedOn() && !$this->applicationState->isPortal() && $this->isMethodOidc();
    }

    public function isSwitchedOn(): bool
    {
        return (bool) $this->config->get(self::PROXY);
    }

    public function isMethodOidc(): bool
    {
        return $this->methodProvider->get() === OidcLogin::NAME;
    }

    public function signsInAutomatically(): bool
    {
        return (bool) $this->config->get(self::AUTO_SIGN_IN);
    }

    /**
     * Public keys, where there are any, are the only ones that count.
     *
     * @throws Refused Neither they nor the secret can be used.
     */
    public function getKey(): Key
    {
        $text = trim((string) $this->config->get(self::PUBLIC_KEYS));

        if ($text === '') {
            return new SharedSecret((string) $this->config->get(self::SECRET));
        }

        return PublicKeys::parse($text) ??
            throw new Refused(Reason::SecretNotSet, "the public keys of the proxy cannot be read");
    }

    /**
     * @return ?list<string> One for each public key. Null: there are none. Empty: they cannot be read.
     */
    public function getKeyAlgorithms(): ?array
    {
        $text = trim((string) $this->config->get(self::PUBLIC_KEYS));

        return $text === '' ? null : PublicKeys::parse($text)?->getAlgorithms() ?? [];
    }

    /**
     * @return 'none'|'short'|'stored'
     */
    public function getSecretState(): string
    {
        $secret = (string) $this->config->get(self::SECRET);

        return match (true) {
            $secret === '' => 'none',
            SharedSecret::isUsable($secret) => 'stored',
            default => 'short',
        };
    }

    /**
     * What EspoCRM signs with for itself, made at its installation. Null: it has none.
     */
    public function getOwnSecret(): ?string
    {
        return $this->config->get('hashSecretKey') ?: null;
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

    public function getUsernameClaim(): ?string
    {
        return $this->config->get(self::USERNAME_CLAIM) ?: null;
    }

    /**
     * The one provider whose users are let in. Null for any that the proxy is set up with.
     */
    public function getProviderIssuer(): ?string
    {
        return $this->config->get(self::PROVIDER_ISSUER) ?: null;
    }

    public function getTakeOver(): TakeOver
    {
        return TakeOver::fromSetting($this->config->get(self::TAKE_OVER));
    }

    public function allowsUnverifiedEmail(): bool
    {
        return (bool) $this->config->get(self::UNVERIFIED_EMAIL);
    }

    /**
     * Whether the owner of a user can show it with the password.
     */
    public function hasPassword(Account $account): bool
    {
        return $this->hasFallback() && ($account->isAdmin() || $this->config->get(self::REGULAR_USER_FALLBACK));
    }
}
