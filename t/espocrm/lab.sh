#!/bin/bash
# A real EspoCRM for the tests of the extension: MariaDB, php-fpm and a plain nginx, all on 127.0.0.1.
# Usage (as root): ESPOCRM_DIR=/path/to/unpacked/release LAB=/short/path t/espocrm/lab.sh start|stop
# LAB must be a directory that www-data and mysql may enter. PORT, DBPORT and PHP (8.2) can be set.
set -euo pipefail
: "${LAB:?}"; PORT=${PORT:-8391}; DBPORT=${DBPORT:-3391}; PHP=${PHP:-8.2}
SOCK=$LAB/run/mysqld.sock

stop() {
    local name pid
    for name in nginx php-fpm mysqld; do
        [ -s "$LAB/run/$name.pid" ] || continue
        pid=$(cat "$LAB/run/$name.pid")
        kill "$pid" 2>/dev/null || continue
        for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    done
}

copy_files() {
    mkdir -p "$LAB"/{run,log,db}
    chmod 755 "$LAB" "$LAB/run"; chmod 777 "$LAB/log"; chown mysql: "$LAB/db" "$LAB/run"
    rsync -a --delete "$ESPOCRM_DIR/" "$LAB/espo/"
    cd "$LAB/espo"
    mkdir -p data custom/Espo/Custom custom/Espo/Modules client/custom/modules
    find . -type d -exec chmod 755 {} +; find . -type f -exec chmod 644 {} +
    find data custom client/custom -type d -exec chmod 775 {} +
    find data custom client/custom -type f -exec chmod 664 {} +
    chmod 754 bin/command; chown -R www-data: .
}

start_database() {
    [ -d "$LAB/db/mysql" ] || mariadb-install-db --no-defaults --user=mysql --datadir="$LAB/db" \
        --auth-root-authentication-method=normal >"$LAB/log/install-db.log" 2>&1
    setsid mariadbd --no-defaults --user=mysql --datadir="$LAB/db" --socket="$SOCK" --port="$DBPORT" \
        --bind-address=127.0.0.1 --pid-file="$LAB/run/mysqld.pid" --skip-log-bin \
        >"$LAB/log/mariadb.log" 2>&1 </dev/null &
    for _ in $(seq 120); do
        mariadb-admin --no-defaults -S "$SOCK" ping >/dev/null 2>&1 && break
        sleep 0.5
    done
    mariadb --no-defaults -uroot -S "$SOCK" -e "DROP DATABASE IF EXISTS espo;
        CREATE DATABASE espo CHARACTER SET utf8mb4;
        CREATE OR REPLACE USER espo@'127.0.0.1' IDENTIFIED BY 'espo'; GRANT ALL ON espo.* TO espo@'127.0.0.1';
        CREATE OR REPLACE USER espo@localhost IDENTIFIED BY 'espo'; GRANT ALL ON espo.* TO espo@localhost;"
}

start_php() {
    cat >"$LAB/run/php-fpm.conf" <<E
[global]
pid = $LAB/run/php-fpm.pid
error_log = $LAB/log/php-fpm.log
[www]
user = www-data
group = www-data
listen = $LAB/run/php.sock
listen.owner = www-data
listen.group = www-data
pm = static
pm.max_children = 3
php_admin_value[memory_limit] = 256M
php_admin_value[error_log] = $LAB/log/php-error.log
php_admin_flag[log_errors] = on
E
    "php-fpm$PHP" -D -y "$LAB/run/php-fpm.conf"
}

start_nginx() {
    local fastcgi="include /etc/nginx/fastcgi_params; fastcgi_pass unix:$LAB/run/php.sock;"  # first: the last one wins
    cat >"$LAB/run/nginx.conf" <<E
user www-data;
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
        location /portal/ { try_files \$uri \$uri/ /portal/index.php?\$args; }
        location ~ \.php\$ {
            $fastcgi
            fastcgi_param SCRIPT_FILENAME \$document_root\$fastcgi_script_name;
        }
        location ~ /\. { deny all; }
    }
}
E
    nginx -c "$LAB/run/nginx.conf"
}

step() {
    setpriv --reuid=www-data --regid=www-data --init-groups env HOME="$LAB/espo/data" \
        "php$PHP" install/cli.php "$@"
}

install_espocrm() {
    cd "$LAB/espo"
    step -a step1 -d "user-lang=en_US"
    step -a setupConfirmation -d "host-name=127.0.0.1:$DBPORT&db-name=espo&db-user-name=espo&db-user-password=espo&db-platform=Mysql"
    step -a settingsTest -d "dbName=espo&hostName=127.0.0.1:$DBPORT&dbUserName=espo&dbUserPass=espo&dbPlatform=Mysql"
    step -a checkPermission
    step -a saveSettings -d "site-url=http://127.0.0.1:$PORT&default-permissions-user=www-data&default-permissions-group=www-data"
    step -a buildDatabase
    step -a createUser -d "user-name=admin&user-pass=admin"
    step -a savePreferences -d "timeZone=UTC&language=en_US"
    step -a finish
}

case ${1:-} in
    start)
        : "${ESPOCRM_DIR:?}"
        copy_files; start_database; start_php; start_nginx; install_espocrm
        echo "EspoCRM at http://127.0.0.1:$PORT, admin / admin" ;;
    stop) stop ;;
    *) sed -n '2,4s/^# //p' "$0"; exit 2 ;;
esac
