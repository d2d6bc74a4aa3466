<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Diagnosis;

/**
 * What a test of the settings knows. Immutable.
 */
final class Facts
{
    /**
     * @param string $secretState As Params says it.
     * @param ?list<string> $keyAlgorithms Of the public keys. Null: there are none, empty: they cannot be read.
     * @param bool $keepsTokens Whether the auth tokens are EspoCRM's own, not those of another `authTokenManager`.
     * @param string $browserUrl Where the page is, as its address bar says.
     * @param ?int $clockDifference Seconds by which the clock of the browser is ahead of that of the server.
     * @param string $address The client, as EspoCRM sees it.
     * @param ?string $statedAddress The client, as the proxy says it. Null: it says nothing.
     * @param ?Probe $probe Null if none could be made.
     */
    public function __construct(
        public readonly bool $isSwitchedOn,
        public readonly bool $isMethodOidc,
        public readonly string $siteUrl,
        public readonly string $secretState,
        public readonly ?array $keyAlgorithms,
        public readonly ?string $pinnedIssuer,
        public readonly bool $takesOverByName,
        public readonly ?string $usernameClaim,
        public readonly ?string $logoutUrl,
        public readonly bool $signsInAutomatically,
        public readonly bool $hasFallback,
        public readonly bool $isStorageWritable,
        public readonly bool $hasSession,
        public readonly bool $keepsTokens,
        public readonly bool $isSecureAtServer,
        public readonly string $address,
        public readonly ?string $statedAddress,
        public readonly string $browserUrl,
        public readonly ?int $clockDifference,
        public readonly ?Probe $probe,
    ) {}
}
