<?php
// SPDX-License-Identifier: Apache-2.0

namespace Espo\Modules\OidcProxy\SignIn;

use RuntimeException;
use Throwable;

/**
 * The message is for the log of the administrator.
 */
class Refused extends RuntimeException
{
    public function __construct(private Reason $reason, string $message, ?Throwable $previous = null)
    {
        parent::__construct($message, 0, $previous);
    }

    public function getReason(): Reason
    {
        return $this->reason;
    }
}
