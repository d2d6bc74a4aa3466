<?php
// SPDX-License-Identifier: Apache-2.0
/**
 * First settings of the sign-in by the proxy:
 * AUTH_HOST=… php settings.php ESPOCRM_DIRECTORY <SECRET_FILE
 * Does nothing when the sign-in has been set up before, by this or in the administration.
 */

use Espo\Core\Application;
use Espo\Core\InjectableFactory;
use Espo\Core\Utils\Config;
use Espo\Core\Utils\Config\ConfigWriter;

chdir($argv[1] ?? '.');
require_once 'bootstrap.php';

$secret = trim((string) stream_get_contents(STDIN));

if (strlen($secret) < 32) {
    fwrite(STDERR, "The secret has fewer than 32 characters.\n");
    exit(1);
}

$host = (string) getenv('AUTH_HOST');

if ($host === '') {
    fwrite(STDERR, "AUTH_HOST is not set.\n");
    exit(1);
}

$container = (new Application())->getContainer();

if ($container->getByClass(Config::class)->has('oidcProxySecret')) {
    echo "The sign-in has been set up before; nothing is changed.\n";
    exit;
}

$writer = $container->getByClass(InjectableFactory::class)->create(ConfigWriter::class);
$writer->setMultiple([
    'authenticationMethod' => 'Oidc',
    'oidcProxy' => true,
    'oidcProxySecret' => $secret,
    // As `issuer` in nginx: nobody else's users.
    'oidcProxyProviderIssuer' => "https://$host",
    'oidcProxyAutoSignIn' => true,
    'oidcLogoutUrl' => '/oidc/logout',
    'oidcUsernameClaim' => 'preferred_username',
    'oidcCreateUser' => true,
    'oidcSync' => true,
    'oidcFallback' => true,
    // The user "admin" of Authelia can become the one of EspoCRM: its first sign-in asks for that
    // one's password.
    'oidcAllowAdminUser' => true,
    'oidcGroupClaim' => 'groups',
]);
$writer->save();
echo "The sign-in by the proxy is on.\n";
