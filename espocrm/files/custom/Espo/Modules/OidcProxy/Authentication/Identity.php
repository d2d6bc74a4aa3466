<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Modules\OidcProxy\Assertion\Claims;

/**
 * Who somebody is: the issuer of the provider and the subject there. Nothing else identifies a person (OpenID Connect
 * Core 5.7). Both are compared byte by byte. Immutable.
 */
final class Identity
{
    /** Fields of the entity User. */
    public const FIELD_ISSUER = 'oidcProxyIssuer';
    public const FIELD_SUBJECT = 'oidcProxySubject';
    public const FIELD_KEY = 'oidcProxyKey';

    /** In characters, as the fields hold them. OpenID Connect Core 2 allows a subject 255 ASCII characters. */
    public const MAX_LENGTH = 255;

    private const CLAIM_ISSUER = 'idp';
    private const CLAIM_SUBJECT = 'sub';

    private function __construct(
        private string $issuer,
        private string $subject,
    ) {}

    /**
     * @return ?self Null if one of both is empty or does not fit into its field.
     */
    public static function create(string $issuer, string $subject): ?self
    {
        foreach ([$issuer, $subject] as $value) {
            if ($value === '' || mb_strlen($value, 'UTF-8') > self::MAX_LENGTH || Text::hasControls($value)) {
                return null;
            }
        }

        return new self($issuer, $subject);
    }

    public static function fromClaims(Claims $claims): ?self
    {
        return self::create(
            $claims->getText(self::CLAIM_ISSUER) ?? '',
            $claims->getText(self::CLAIM_SUBJECT) ?? ''
        );
    }

    public function getIssuer(): string
    {
        return $this->issuer;
    }

    public function getSubject(): string
    {
        return $this->subject;
    }

    /**
     * What a unique index can hold: databases compare text without regard to case or accents.
     */
    public function getKey(): string
    {
        return hash('sha256', $this->issuer . "\0" . $this->subject);
    }

    public function equals(self $other): bool
    {
        return $this->issuer === $other->issuer && $this->subject === $other->subject;
    }

    /**
     * For log lines.
     */
    public function describe(): string
    {
        return "subject '$this->subject' of '$this->issuer'";
    }
}
