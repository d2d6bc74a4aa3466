<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Authentication;

use Espo\Core\FieldValidation\FieldValidationManager;
use Espo\Core\Utils\Metadata;
use Espo\Entities\User;
use Espo\ORM\EntityManager;

/**
 * The limits of EspoCRM for the fields of a user, customisations included.
 */
final class FieldRules
{
    private const TYPE_REQUIRED = 'required';

    public function __construct(
        private EntityManager $entityManager,
        private Metadata $metadata,
        private FieldValidationManager $validationManager,
    ) {}

    /**
     * @return ?string The value as the field can hold it: cut, or in the spelling of the choice. Null if it cannot.
     */
    public function adapt(string $attribute, string $value): ?string
    {
        $defs = $this->entityManager->getDefs()->getEntity(User::ENTITY_TYPE);

        if (!$defs->hasAttribute($attribute) || !$defs->hasField($attribute)) {
            return null;
        }

        $type = $defs->getField($attribute)->getType();

        $value = match ($type) {
            'enum' => $this->choose($attribute, $value),
            'varchar' => Text::fit($value, $defs->getAttribute($attribute)->getLength()),
            // Half an address or number is another one.
            default => Text::hasControls($value) ? null : $value,
        };

        if ($value === null || $value === '' || !$this->isValid($attribute, $type, $value)) {
            return null;
        }

        return $value;
    }

    private function choose(string $field, string $value): ?string
    {
        $options = $this->metadata->get(['entityDefs', User::ENTITY_TYPE, 'fields', $field, 'options']) ?? [];

        foreach ($options as $option) {
            if ($option !== '' && Text::lower($option) === Text::lower($value)) {
                return $option;
            }
        }

        return null;
    }

    private function isValid(string $field, string $type, string $value): bool
    {
        $user = $this->entityManager->getNewEntity(User::ENTITY_TYPE);
        $user->set($field, $value);

        $checks = array_merge(
            $this->metadata->get(['fields', $type, 'validationList']) ?? [],
            $this->metadata->get(['fields', $type, 'mandatoryValidationList']) ?? [],
            $this->metadata->get(['entityDefs', User::ENTITY_TYPE, 'fields', $field, 'validationList']) ?? [],
        );

        foreach (array_unique($checks) as $check) {
            if ($check !== self::TYPE_REQUIRED && !$this->validationManager->check($user, $field, $check)) {
                return false;
            }
        }

        return true;
    }
}
