#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Puts the host names into the site and starts nginx.
set -eu
: "${CRM_HOST:?}" "${AUTH_HOST:?}"
# The names are constants here; every other $ is a variable of nginx.
# shellcheck disable=SC2016
envsubst '${CRM_HOST} ${AUTH_HOST}' \
    </etc/nginx/templates/site.conf.template >/etc/nginx/conf.d/site.conf
# A machine without IPv6 has no such addresses to listen at.
if [ ! -e /proc/net/if_inet6 ]; then
    sed -i '/^ *listen  *\[::\]:/d' /etc/nginx/conf.d/site.conf
fi
nginx -t
exec nginx -g 'daemon off;'
