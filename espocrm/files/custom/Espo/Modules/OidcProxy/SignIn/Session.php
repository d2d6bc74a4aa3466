<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\SignIn;

/**
 * What a browser needs to be signed in. Immutable.
 */
final class Session
{
    public function __construct(
        private string $userId,
        private string $userName,
        private string $token,
    ) {}

    public function getUserId(): string
    {
        return $this->userId;
    }

    public function getUserName(): string
    {
        return $this->userName;
    }

    public function getToken(): string
    {
        return $this->token;
    }
}
