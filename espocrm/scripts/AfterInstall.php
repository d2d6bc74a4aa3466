<?php
// SPDX-License-Identifier: Apache-2.0

use Espo\Core\Container;
use Espo\Core\InjectableFactory;
use Espo\Core\Utils\Config;
use Espo\Core\Utils\Config\ConfigWriter;

class AfterInstall
{
    /**
     * @param array<string, mixed> $params
     */
    public function run(Container $container, array $params): void
    {
        // Nothing happens before an administrator switches the sign-in by the proxy on.
        if ($container->getByClass(Config::class)->has('oidcProxyAutoSignIn')) {
            return;
        }

        $configWriter = $container->getByClass(InjectableFactory::class)->create(ConfigWriter::class);

        $configWriter->set('oidcProxyAutoSignIn', true);
        $configWriter->save();
    }
}
