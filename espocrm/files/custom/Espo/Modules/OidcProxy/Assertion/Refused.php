<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Assertion;

use RuntimeException;

/**
 * The message is for the log of the administrator. It never holds the secret or the assertion.
 */
final class Refused extends RuntimeException
{
    /**
     * @param ?Claims $claims What the assertion says, once it is known that the proxy says so.
     */
    public function __construct(private Reason $reason, string $message, private ?Claims $claims = null)
    {
        parent::__construct($message);
    }

    public function getClaims(): ?Claims
    {
        return $this->claims;
    }

    public function getReason(): Reason
    {
        return $this->reason;
    }

    /**
     * What somebody else wrote, as it may stand in a message.
     */
    public static function quote(mixed $value): string
    {
        $text = json_encode($value, JSON_UNESCAPED_SLASHES | JSON_PARTIAL_OUTPUT_ON_ERROR);

        return mb_strcut($text ?: '?', 0, 200);
    }
}
