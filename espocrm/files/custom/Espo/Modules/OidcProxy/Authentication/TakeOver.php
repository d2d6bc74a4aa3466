<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

/**
 * How a user that belongs to no subject yet is found at the first sign-in of one.
 */
enum TakeOver: string
{
    case Never = 'never';
    case UserName = 'username';
    case EmailAddress = 'email';

    public static function fromSetting(mixed $value): self
    {
        return (is_string($value) ? self::tryFrom($value) : null) ?? self::Never;
    }
}
