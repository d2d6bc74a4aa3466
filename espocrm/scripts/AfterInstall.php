<?php
// SPDX-License-Identifier: Apache-2.0

declare(strict_types=1);

use Espo\Core\Container;
use Espo\Core\InjectableFactory;
use Espo\Core\Utils\Config;
use Espo\Core\Utils\Config\ConfigWriter;

final class AfterInstall
{
    /**
     * @param array<string, mixed> $params
     */
    public function run(Container $container, array $params): void
    {
        $config = $container->getByClass(Config::class);

        // Nothing happens before an administrator switches the sign-in by the proxy on.
        $defaults = [
            'oidcProxyAutoSignIn' => true,
            // Where it was on before users belonged to subjects: people still come in, and each takes the own user over.
            'oidcProxyTakeOver' => $config->get('oidcProxy') ? 'username' : 'never',
        ];

        $missing = array_filter($defaults, fn (string $name) => !$config->has($name), ARRAY_FILTER_USE_KEY);

        if ($missing === []) {
            return;
        }

        $configWriter = $container->getByClass(InjectableFactory::class)->create(ConfigWriter::class);

        $configWriter->setMultiple($missing);
        $configWriter->save();
    }
}
