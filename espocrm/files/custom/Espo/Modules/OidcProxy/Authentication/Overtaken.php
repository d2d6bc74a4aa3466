<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use RuntimeException;

/**
 * Another request has changed the user in the meantime: what was decided has to be decided again.
 */
final class Overtaken extends RuntimeException
{
}
