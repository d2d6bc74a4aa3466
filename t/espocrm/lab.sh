#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real EspoCRM for the tests: MariaDB, php-fpm and a plain nginx without access control, all on
# 127.0.0.1. PORT is that nginx, php-fpm listens on LAB/run/php.sock.
# Usage: ESPOCRM_DIR=/path/to/unpacked/release LAB=/short/path t/espocrm/lab.sh start|stop
# PORT and DBPORT can be set. `start` begins from nothing, whatever LAB holds.
# As root it runs as www-data and mysql, which must be able to enter LAB; otherwise as the caller.
set -euo pipefail
: "${LAB:?}"; PORT=${PORT:-8391}; DBPORT=${DBPORT:-3391}
SOCK=$LAB/run/mysqld.sock
here=$(dirname "$(readlink -f "$0")")

die() { echo "lab.sh: $*" >&2; exit 1; }

if [ "$(id -u)" = 0 ]; then
    web_user=www-data web_group=www-data database_user=(--user=mysql)
    own() { chown -R "$@"; }
    as_web() { setpriv --reuid=www-data --regid=www-data --init-groups "$@"; }
else
    web_user=$(id -un) web_group=$(id -gn) database_user=()
    own() { :; }
    as_web() { "$@"; }
fi

# nginx and php-fpm are in sbin, which is not in everybody's PATH.
PATH=$PATH:/usr/sbin

stop() {
    local file pid files=()
    for file in "$LAB"/run/{nginx,php-fpm,mysqld}.pid; do
        [ -s "$file" ] || continue
        pid=$(cat "$file")
        kill "$pid" 2>/dev/null || continue
        files+=("$file $pid")
    done
    for file in "${files[@]}"; do
        pid=${file##* }
        for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        ! kill -0 "$pid" 2>/dev/null || die "process $pid of ${file% *} does not end"
        rm -f "${file% *}"
    done
}

check() {
    [ -f "$ESPOCRM_DIR/install/cli.php" ] && [ -f "$ESPOCRM_DIR/vendor/autoload.php" ] ||
        die "ESPOCRM_DIR=$ESPOCRM_DIR is no unpacked EspoCRM release"
    [ ! -e "$ESPOCRM_DIR/data/config.php" ] ||
        die "ESPOCRM_DIR=$ESPOCRM_DIR is an installation; unpack a release of its own for the tests"
    [ ${#SOCK} -le 100 ] || die "LAB=$LAB is too long for the path of a socket"
    mkdir -p "$LAB"/{run,log}
    chmod 755 "$LAB" "$LAB/run"
    as_web test -x "$LAB/run" || die "$web_user cannot enter $LAB: choose another TMPDIR"
}

copy_files() {
    rm -rf "$LAB"/{espo,db}
    mkdir -p "$LAB/db"
    chmod 777 "$LAB/log"; own mysql: "$LAB/db" "$LAB/run"
    cp -R "$ESPOCRM_DIR" "$LAB/espo"
    cd "$LAB/espo"
    mkdir -p data custom/Espo/Custom custom/Espo/Modules client/custom/modules
    find . -type d -exec chmod 755 {} +; find . -type f -exec chmod 644 {} +
    find data custom client/custom -type d -exec chmod 775 {} +
    find data custom client/custom -type f -exec chmod 664 {} +
    chmod 754 bin/command; own "$web_user": .
}

start_database() {
    mariadb-install-db --no-defaults "${database_user[@]}" --datadir="$LAB/db" --skip-test-db \
        --auth-root-authentication-method=normal >"$LAB/log/install-db.log" 2>&1 ||
        { cat "$LAB/log/install-db.log" >&2; die "MariaDB cannot be set up"; }
    setsid mariadbd --no-defaults "${database_user[@]}" --datadir="$LAB/db" --socket="$SOCK" \
        --port="$DBPORT" --bind-address=127.0.0.1 --pid-file="$LAB/run/mysqld.pid" --skip-log-bin \
        --innodb-flush-log-at-trx-commit=0 >"$LAB/log/mariadb.log" 2>&1 </dev/null &
    for _ in $(seq 240); do
        mariadb-admin --no-defaults -S "$SOCK" ping >/dev/null 2>&1 && break
        kill -0 $! 2>/dev/null || { cat "$LAB/log/mariadb.log" >&2; die "MariaDB does not start"; }
        sleep 0.25
    done
    mariadb --no-defaults -uroot -S "$SOCK" -e "
        CREATE DATABASE espo CHARACTER SET utf8mb4;
        CREATE USER espo@'127.0.0.1' IDENTIFIED BY 'espo';
        GRANT ALL ON espo.* TO espo@'127.0.0.1';"
}

# What PHP is told about identities, request by request, for tests of who may say so.
write_recorder() {
    cat >"$LAB/run/record.php" <<'E'
<?php
(function (): void {
    $identity = array_filter($_SERVER, fn ($name) =>
        preg_match('/^HTTP_(X_OIDC|REMOTE_)/', $name), ARRAY_FILTER_USE_KEY);

    if ($identity) {
        $line = ['script' => $_SERVER['SCRIPT_NAME'], 'uri' => $_SERVER['REQUEST_URI'],
            'scheme' => $_SERVER['HTTP_X_FORWARDED_PROTO'] ?? 'http', 'identity' => $identity];
        file_put_contents(dirname(__DIR__) . '/log/identity.log',
            json_encode($line, JSON_INVALID_UTF8_SUBSTITUTE) . "\n", FILE_APPEND | LOCK_EX);
    }
})();
E
    rm -f "$LAB/log/identity.log"
}

# Timestamps are checked at each request: a setting that was saved counts at once.
start_php() {
    local version pool_user=
    version=$(php -r 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;')
    [ "$(id -u)" != 0 ] || pool_user="user = $web_user
group = $web_group
listen.owner = $web_user
listen.group = $web_group"
    cat >"$LAB/run/php-fpm.conf" <<E
[global]
pid = $LAB/run/php-fpm.pid
error_log = $LAB/log/php-fpm.log
[www]
$pool_user
listen = $LAB/run/php.sock
pm = static
pm.max_children = 3
php_admin_value[memory_limit] = 256M
php_admin_value[post_max_size] = 50M
php_admin_value[upload_max_filesize] = 50M
php_admin_value[opcache.revalidate_freq] = 0
php_admin_value[user_ini.cache_ttl] = 0
php_admin_value[auto_prepend_file] = $LAB/run/record.php
php_admin_value[error_log] = $LAB/log/php-error.log
php_admin_flag[log_errors] = on
E
    "php-fpm$version" -D -y "$LAB/run/php-fpm.conf"
}

start_nginx() {
    # the includes come first: of two parameters of a name the last one counts
    local fastcgi="include /etc/nginx/fastcgi_params; fastcgi_pass unix:$LAB/run/php.sock;" user=
    [ "$(id -u)" != 0 ] || user="user $web_user;"
    cat >"$LAB/run/nginx.conf" <<E
$user
worker_processes 1;
pid $LAB/run/nginx.pid;
error_log $LAB/log/nginx.log;
events {}
http {
    include /etc/nginx/mime.types;
    access_log off;
    client_body_temp_path $LAB/run/body;
    proxy_temp_path $LAB/run/proxy;
    fastcgi_temp_path $LAB/run/fastcgi;
    uwsgi_temp_path $LAB/run/uwsgi;
    scgi_temp_path $LAB/run/scgi;
    # tests look at it
    fastcgi_ignore_headers X-Accel-Redirect;
    fastcgi_pass_header X-Accel-Redirect;
    server {
        listen 127.0.0.1:$PORT;
        root $LAB/espo/public;
        index index.php;
        location ^~ /client/ { root $LAB/espo; }
        location ^~ /api/v1/portal-access/ {
            $fastcgi
            fastcgi_param SCRIPT_FILENAME \$document_root/api/v1/portal-access/index.php;
            fastcgi_param SCRIPT_NAME /api/v1/portal-access/index.php;
        }
        location ^~ /api/v1/ {
            $fastcgi
            fastcgi_param SCRIPT_FILENAME \$document_root/api/v1/index.php;
            fastcgi_param SCRIPT_NAME /api/v1/index.php;
        }
        # the OAuth server of EspoCRM 10.1; older ones have no such files, which php-fpm says
        location ^~ /.well-known/oauth- {
            $fastcgi
            fastcgi_param SCRIPT_FILENAME \$document_root/.well-known/index.php;
            fastcgi_param SCRIPT_NAME /.well-known/index.php;
        }
        location ~ ^/oauth/(authorize|token)(/|\$) {
            $fastcgi
            fastcgi_param SCRIPT_FILENAME \$document_root/oauth/index.php;
            fastcgi_param SCRIPT_NAME /oauth/index.php;
        }
        location /portal/ { try_files \$uri \$uri/ /portal/index.php?\$args; }
        location ~ \.php\$ {
            $fastcgi
            fastcgi_param SCRIPT_FILENAME \$document_root\$fastcgi_script_name;
        }
        location ~ /\. { deny all; }
    }
}
E
    "${NGINX_BIN:-nginx}" -e "$LAB/log/nginx.log" -c "$LAB/run/nginx.conf"
}

# The installer is silent when a step succeeds and exits 0 when it fails.
step() {
    local out
    out=$(as_web env HOME="$LAB/espo/data" php install/cli.php "$@" 2>&1) || true
    [ -z "$out" ] || die "EspoCRM's installer, $*: $out"
}

install_espocrm() {
    local host=127.0.0.1:$DBPORT
    local database="host-name=$host&db-name=espo&db-user-name=espo&db-user-password=espo"
    local again="dbName=espo&hostName=$host&dbUserName=espo&dbUserPass=espo"
    local owner="default-permissions-user=$web_user&default-permissions-group=$web_group"
    cd "$LAB/espo"
    step -a step1 -d "user-lang=en_US"
    step -a setupConfirmation -d "$database&db-platform=Mysql"
    step -a settingsTest -d "$again&dbPlatform=Mysql"
    step -a checkPermission
    step -a saveSettings -d "site-url=http://127.0.0.1:$PORT&$owner"
    step -a buildDatabase
    step -a createUser -d "user-name=admin&user-pass=admin"
    step -a savePreferences -d "timeZone=UTC&language=en_US"
    step -a finish
    # Tests are refused a lot; after ten refusals in a minute EspoCRM would lock their address out.
    as_web php -r '$config = include "data/config.php";
        $config["authMaxFailedAttemptNumber"] = 10000;
        file_put_contents("data/config.php", "<?php\nreturn " . var_export($config, true) . ";\n");'
}

# The extension, as a package that pack.py has made.
install_extension() {
    local package=$LAB/run/extension.zip out
    cp "$1" "$package"
    chmod 644 "$package"
    cd "$LAB/espo"
    out=$(as_web php command.php extension --file="$package" 2>&1) || true
    grep -q "is installed" <<<"$out" || die "the extension cannot be installed: $out"
}

case ${1:-} in
    start)
        : "${ESPOCRM_DIR:?}"
        check
        stop
        trap 'stop' ERR
        copy_files; start_database; write_recorder; start_php; start_nginx; install_espocrm
        echo "EspoCRM at http://127.0.0.1:$PORT, admin / admin" ;;
    extension) install_extension "$(readlink -f "${2:?a package}")" ;;
    stop) stop ;;
    *) sed -n '2,6s/^# //p' "$here/lab.sh"; exit 2 ;;
esac
