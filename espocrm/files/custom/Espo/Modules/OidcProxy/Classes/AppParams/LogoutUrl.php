<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Classes\AppParams;

use Espo\Core\Utils\Config;
use Espo\Modules\OidcProxy\Authentication\Params;
use Espo\Tools\App\AppParam;

/**
 * Where "Log Out" leads. EspoCRM tells its page only in the answer to the logout, which a session that has ended
 * already never gets.
 *
 * @noinspection PhpUnused
 */
final class LogoutUrl implements AppParam
{
    public function __construct(
        private Params $params,
        private Config $config,
    ) {}

    public function get(): ?string
    {
        $url = $this->params->isEnabled() ? $this->params->getLogoutUrl() : null;

        if ($url === null) {
            return null;
        }

        return strtr($url, [
            '{clientId}' => urlencode((string) $this->config->get('oidcClientId')),
            '{siteUrl}' => urlencode($this->params->getSiteUrl()),
        ]);
    }
}
