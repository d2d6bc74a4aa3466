<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

namespace Espo\Modules\OidcProxy\Classes\MetadataBuilders;

use Espo\Core\Utils\Metadata\AdditionalBuilder;
use stdClass;

/**
 * Puts the switch of the proxy's sign-in and what it needs before everything else of the method OIDC. EspoCRM's rows
 * change from version to version, so they are rearranged, not replaced. EspoCRM 8.2 and 8.3 have no such builders: there
 * the rows of the extension stay below.
 *
 * @noinspection PhpUnused
 */
final class SettingsLayout implements AdditionalBuilder
{
    public function build(stdClass $data): void
    {
        $settings = $data->authenticationMethods->Oidc->settings ?? null;
        $rows = $settings->layout->rows ?? null;

        if (is_array($rows)) {
            $settings->layout->rows = SettingsRows::arrange($rows, self::getClientFields($settings));
        }
    }

    /**
     * The fields that the proxy makes superfluous.
     *
     * @return list<string>
     */
    private static function getClientFields(stdClass $settings): array
    {
        $list = [];

        foreach (get_object_vars($settings->dynamicLogic->fields ?? (object) []) as $name => $logic) {
            foreach ($logic->visible->conditionGroup ?? [] as $condition) {
                if (($condition->attribute ?? null) === 'oidcProxy' && ($condition->type ?? null) === 'isFalse') {
                    $list[] = $name;
                }
            }
        }

        return $list;
    }
}
