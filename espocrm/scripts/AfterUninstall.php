<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

use Espo\Core\Container;
use Espo\Core\InjectableFactory;
use Espo\Core\Utils\Config;
use Espo\Core\Utils\Config\ConfigWriter;
use Espo\Core\Utils\File\Manager as FileManager;

/**
 * Not BeforeUninstall: an upgrade runs that one as well, and must not change how users sign in.
 */
final class AfterUninstall
{
    private const DIRECTORY = 'data/oidc-proxy';

    /**
     * @param array<string, mixed> $params
     */
    public function run(Container $container, array $params): void
    {
        $fileManager = $container->getByClass(FileManager::class);

        if ($fileManager->isDir(self::DIRECTORY)) {
            $fileManager->removeInDir(self::DIRECTORY, true);
        }

        $config = $container->getByClass(Config::class);

        if (
            !$config->get('oidcProxy') ||
            $config->get('authenticationMethod') !== 'Oidc' ||
            $config->get('oidcClientId') && $config->get('oidcTokenEndpoint')
        ) {
            return;
        }

        // The stock OIDC was never set up: with the proxy gone, only passwords are left.
        $configWriter = $container->getByClass(InjectableFactory::class)->create(ConfigWriter::class);

        $configWriter->set('authenticationMethod', 'Espo');
        $configWriter->save();
    }
}
