<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Modules\OidcProxy\Assertion\Claims;

/**
 * What the provider says about a person. A claim that it does not send says nothing.
 */
final class Profile
{
    public const EMAIL_ADDRESS = 'emailAddress';

    private const CLAIM_EMAIL = 'email';
    private const CLAIM_EMAIL_VERIFIED = 'email_verified';

    private const ATTRIBUTES = [
        'given_name' => 'firstName',
        'middle_name' => 'middleName',
        'family_name' => 'lastName',
        'gender' => 'gender',
        'phone_number' => 'phoneNumber',
        self::CLAIM_EMAIL => self::EMAIL_ADDRESS,
    ];

    public function __construct(private Claims $claims) {}

    /**
     * @return array<string, string> By attribute of a user. Neither cut nor checked.
     */
    public function getValues(): array
    {
        $values = [];

        foreach (self::ATTRIBUTES as $claim => $attribute) {
            $text = $this->claims->getText($claim);

            if ($text !== null) {
                $values[$attribute] = trim($text);
            }
        }

        return $values;
    }

    /**
     * For a new user, who needs a last name to be seen in lists.
     *
     * @return array<string, string>
     */
    public function getValuesForNew(string $userName): array
    {
        $values = $this->getValues();

        if (isset($values['firstName']) || isset($values['lastName'])) {
            return $values;
        }

        $name = trim($this->claims->getText('name') ?? $userName);
        $position = strrpos($name, ' ');

        if ($position === false) {
            return ['lastName' => $name] + $values;
        }

        return [
            'firstName' => trim(substr($name, 0, $position)),
            'lastName' => substr($name, $position + 1),
        ] + $values;
    }

    /**
     * Whether the provider vouches for the address: it has seen that it is this person's (OpenID Connect Core 5.1).
     * Some providers send the boolean as text.
     */
    public function isEmailVerified(): bool
    {
        return in_array($this->claims->get(self::CLAIM_EMAIL_VERIFIED), [true, 'true'], true);
    }

    public function getVerifiedEmailAddress(): ?string
    {
        return $this->isEmailVerified() ? $this->getValues()[self::EMAIL_ADDRESS] ?? null : null;
    }
}
