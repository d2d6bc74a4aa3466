<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

/**
 * What the administrator has chosen. Immutable.
 */
final class Policy
{
    /**
     * @param ?int $userNameMaxLength In characters.
     */
    public function __construct(
        public readonly TakeOver $takeOver = TakeOver::Never,
        public readonly bool $createUser = false,
        public readonly bool $allowAdmin = false,
        public readonly ?int $userNameMaxLength = null,
    ) {}
}
