<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Classes\AppParams;

use Espo\Modules\OidcProxy\Authentication\Params;
use Espo\Tools\App\AppParam;

/**
 * Whether the proxy does the sign-in of this application: the setting alone does not say it.
 *
 * @noinspection PhpUnused
 */
final class IsOn implements AppParam
{
    public function __construct(private Params $params) {}

    public function get(): bool
    {
        return $this->params->isEnabled();
    }
}
