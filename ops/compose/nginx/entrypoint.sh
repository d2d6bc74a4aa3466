#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Puts the host names into the site, which it fits to this nginx and this machine, and starts nginx.
set -eu
: "${CRM_HOST:?}" "${AUTH_HOST:?}"
# The names are constants here; every other $ is a variable of nginx.
# shellcheck disable=SC2016
envsubst '${CRM_HOST} ${AUTH_HOST}' \
    </etc/nginx/templates/site.conf.template >/etc/nginx/conf.d/site.conf
# nginx 1.25.1 and later: the lines for HTTP/2 that the site's comment names.
probe=$(mktemp)
echo 'events { } http { http2 on; }' >"$probe"
if nginx -t -c "$probe" 2>/dev/null; then
    sed -i -e '/^ *listen  *[^ ]* ssl http2;$/d' -e 's/# \(listen  *[^ ]* ssl;\)$/\1/' \
        -e 's/# \(http2  *on;\)$/\1/' /etc/nginx/conf.d/site.conf
fi
rm "$probe"
# A machine without IPv6 has no such addresses to listen at.
if [ ! -e /proc/net/if_inet6 ]; then
    sed -i '/^ *listen  *\[::\]:/d' /etc/nginx/conf.d/site.conf
fi
nginx -t
exec nginx -g 'daemon off;'
