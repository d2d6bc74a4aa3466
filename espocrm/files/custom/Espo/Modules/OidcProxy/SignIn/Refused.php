<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\SignIn;

use Espo\Modules\OidcProxy\Authentication\Account;
use Espo\Modules\OidcProxy\Authentication\Identity;
use RuntimeException;
use Throwable;

/**
 * The message is for the log of the administrator.
 */
final class Refused extends RuntimeException
{
    /**
     * @param ?Identity $identity Who was refused, as far as it is known.
     * @param ?Account $claimed A user that belongs to nobody, whose owner may be the one who was refused.
     * @param array<string, string> $values What the text of the page names in braces.
     */
    public function __construct(
        private Reason $reason,
        string $message,
        private ?Identity $identity = null,
        private ?Account $claimed = null,
        private array $values = [],
        ?Throwable $previous = null,
    ) {
        parent::__construct($message, 0, $previous);
    }

    public function getReason(): Reason
    {
        return $this->reason;
    }

    public function getIdentity(): ?Identity
    {
        return $this->identity;
    }

    public function getClaimed(): ?Account
    {
        return $this->claimed;
    }

    /**
     * @return array<string, string>
     */
    public function getValues(): array
    {
        return $this->values;
    }
}
