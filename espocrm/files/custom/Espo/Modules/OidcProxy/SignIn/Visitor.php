<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\SignIn;

use Espo\Modules\OidcProxy\Assertion\Claims;
use Espo\Modules\OidcProxy\Authentication\Text;

/**
 * Who stands before the page, as the provider says it and people recognise it. For being read only: who somebody is
 * for EspoCRM, is said by Identity. Immutable.
 */
final class Visitor
{
    private const MAX_LENGTH = 100;
    private const CLAIM_LIST = ['preferred_username', 'email', 'name', 'sub'];

    private function __construct(
        private string $name,
        private string $issuer,
    ) {}

    /**
     * @return ?self Null if the claims name nobody.
     */
    public static function fromClaims(Claims $claims, ?string $usernameClaim): ?self
    {
        $issuer = Text::fit($claims->getText('idp') ?? '', self::MAX_LENGTH);

        foreach ([$usernameClaim ?? '', ...self::CLAIM_LIST] as $claim) {
            $name = Text::fit($claims->getText($claim) ?? '', self::MAX_LENGTH);

            if ($name !== '' && $issuer !== '') {
                return new self($name, $issuer);
            }
        }

        return null;
    }

    public function getName(): string
    {
        return $this->name;
    }

    public function getIssuer(): string
    {
        return $this->issuer;
    }
}
