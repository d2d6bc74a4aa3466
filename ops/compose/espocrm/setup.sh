#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the extension into EspoCRM's volumes and switches the sign-in on. May run again: what is
# there already stays, and settings that an administrator has changed since are not touched.
set -euo pipefail
root=${ESPOCRM_ROOT:-/var/www/html}
here=$(dirname "$(readlink -f "$0")")
package=${EXTENSION:-$here/oidc-proxy.zip}
secret=${SECRET_FILE:-/run/secrets/espocrm-assertion}
cd "$root"

# EspoCRM's files belong to the web user; only the secret needs root.
as_web_user() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=www-data --regid=www-data --init-groups "$@"
    else
        "$@"
    fi
}

version=$(php -r '
    $zip = new ZipArchive();
    $zip->open($argv[1]) === true || exit(1);
    echo json_decode($zip->getFromName("manifest.json"))->version;' "$package")
installed=$(as_web_user php command.php extension --list)
if grep -A2 "OIDC Proxy Sign-in" <<<"$installed" | grep -qF "Version: $version"; then
    echo "The extension $version is installed."
else
    copy=$(as_web_user mktemp -d)
    install -m 644 "$package" "$copy/oidc-proxy.zip"
    as_web_user php command.php extension --file="$copy/oidc-proxy.zip"
    rm -rf "$copy"
fi
as_web_user php "$here/settings.php" "$root" <"$secret"
