<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Session;

use Espo\Core\Api\Request;

/**
 * The proxy says with each request which of its sessions it belongs to. No client can: the proxy removes what clients
 * send under this name.
 */
final class SessionHeader
{
    private const NAME = 'X-Oidc-Session';

    /**
     * @return ?string Null if there is none, which is no error: only the proxy sends it, and only with a session.
     */
    public static function read(Request $request): ?string
    {
        $value = $request->getHeader(self::NAME) ?? '';

        return SessionList::isId($value) ? $value : null;
    }
}
