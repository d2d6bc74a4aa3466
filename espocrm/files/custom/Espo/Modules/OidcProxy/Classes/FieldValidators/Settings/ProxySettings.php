<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Classes\FieldValidators\Settings;

use Espo\Core\Exceptions\BadRequest;
use Espo\Core\Exceptions\Error\Body;
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
 * A Failure would be told as the name of this class; the errors say which field it is and what to do.
 *
 * @implements Validator<Entity>
 * @noinspection PhpUnused
 */
final class ProxySettings implements Validator
{
    private const SCOPE = 'Settings';

    public function __construct(private Config $config) {}

    /**
     * @throws BadRequest
     */
    public function validate(Entity $entity, string $field, Data $data): ?Failure
    {
        if (!$this->getValue(Params::PROXY, $data)) {
            return null;
        }

        if (!$this->getValue(Params::FALLBACK, $data)) {
            throw self::refuse('oidcProxyNeedsFallback');
        }

        $keys = $this->getText(Params::PUBLIC_KEYS, $data);

        if (trim($keys) !== '') {
            if (!PublicKeys::parse($keys)) {
                throw self::refuse('oidcProxyKeysUnreadable');
            }

            return null;
        }

        $secret = $this->getText(Params::SECRET, $data);

        if ($secret === '') {
            throw self::refuse('oidcProxyNeedsSecret');
        }

        if (!SharedSecret::isUsable($secret)) {
            throw self::refuse('oidcProxySecretTooShort');
        }

        return null;
    }

    private static function refuse(string $message): BadRequest
    {
        return BadRequest::createWithBody(
            "OidcProxy: $message",
            Body::create()->withMessageTranslation($message, self::SCOPE, ['length' => (string) SharedSecret::MIN_LENGTH])
        );
    }

    private function getText(string $name, Data $data): string
    {
        $value = $this->getValue($name, $data);

        return is_string($value) ? $value : '';
    }

    /**
     * What will be in the config after saving.
     */
    private function getValue(string $name, Data $data): mixed
    {
        return $data->has($name) ? $data->get($name) : $this->config->get($name);
    }
}
