<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

// The parts without EspoCRM in them: phpunit -c t/espocrm

// EspoCRM brings it along.
require_once 'phpseclib3/autoload.php';

spl_autoload_register(function (string $class): void {
    $prefix = 'Espo\\Modules\\OidcProxy\\';

    if (!str_starts_with($class, $prefix)) {
        return;
    }

    $file = dirname(__DIR__, 2) . '/espocrm/files/custom/Espo/Modules/OidcProxy/' .
        str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';

    if (is_file($file)) {
        require $file;
    }
});
