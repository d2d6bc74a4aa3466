<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

/**
 * What the rules need to know about a user of EspoCRM. Immutable.
 */
final class Account
{
    private const TYPE_REGULAR = 'regular';
    private const TYPE_ADMIN = 'admin';
    private const TYPE_PORTAL = 'portal';
    private const TYPE_API = 'api';
    private const TYPE_SUPER_ADMIN = 'super-admin';

    /**
     * @param bool $isBound Belongs to a subject, whichever it is.
     */
    public function __construct(
        private string $id,
        private string $userName,
        private string $type = self::TYPE_REGULAR,
        private bool $isActive = true,
        private bool $isBound = false,
    ) {}

    public function getId(): string
    {
        return $this->id;
    }

    public function getUserName(): string
    {
        return $this->userName;
    }

    public function isActive(): bool
    {
        return $this->isActive;
    }

    public function isBound(): bool
    {
        return $this->isBound;
    }

    public function isRegular(): bool
    {
        return $this->type === self::TYPE_REGULAR;
    }

    public function isAdmin(): bool
    {
        return $this->type === self::TYPE_ADMIN;
    }

    public function isPortal(): bool
    {
        return $this->type === self::TYPE_PORTAL;
    }

    public function isApi(): bool
    {
        return $this->type === self::TYPE_API;
    }

    public function isSuperAdmin(): bool
    {
        return $this->type === self::TYPE_SUPER_ADMIN;
    }
}
