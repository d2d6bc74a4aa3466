<?php
// SPDX-License-Identifier: Apache-2.0

namespace Espo\Modules\OidcProxy\Classes\FieldValidators\Settings;

use Espo\Core\FieldValidation\Validator;
use Espo\Core\FieldValidation\Validator\Data;
use Espo\Core\FieldValidation\Validator\Failure;
use Espo\Core\Utils\Config;
use Espo\Modules\OidcProxy\Assertion\PublicKeys;
use Espo\Modules\OidcProxy\Assertion\SharedSecret;
use Espo\Modules\OidcProxy\Authentication\Params;
use Espo\ORM\Entity;

/**
 * Nobody may be locked out: the sign-in by the proxy needs a usable secret or public keys, and a password as a second
 * way in. Used for each of the four fields, whichever of them is saved.
 *
 * @implements Validator<Entity>
 * @noinspection PhpUnused
 */
class ProxySettings implements Validator
{
    public function __construct(private Config $config) {}

    public function validate(Entity $entity, string $field, Data $data): ?Failure
    {
        if (!$this->getValue(Params::PROXY, $data)) {
            return null;
        }

        if ($field === Params::FALLBACK || $field === Params::PROXY) {
            if (!$this->getValue(Params::FALLBACK, $data)) {
                return Failure::create();
            }
        }

        $keys = $this->getValue(Params::PUBLIC_KEYS, $data);
        $hasKeys = is_string($keys) && trim($keys) !== '';

        if ($field === Params::PUBLIC_KEYS && $hasKeys && !PublicKeys::parse($keys)) {
            return Failure::create();
        }

        if (!$hasKeys && $field !== Params::FALLBACK) {
            $secret = $this->getValue(Params::SECRET, $data);

            if (!is_string($secret) || !SharedSecret::isUsable($secret)) {
                return Failure::create();
            }
        }

        return null;
    }

    /**
     * What will be in the config after saving.
     */
    private function getValue(string $name, Data $data): mixed
    {
        return $data->has($name) ? $data->get($name) : $this->config->get($name);
    }
}
