# SPDX-License-Identifier: Apache-2.0
"""Commands of the project: `serve`, `register` (tables, client and user), `disable`."""

import os
import socketserver
import ssl
import sys
import wsgiref.simple_server

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.models import Group, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from oauth2_provider.models import (get_access_token_model, get_application_model,  # noqa: E402
                                    get_refresh_token_model)


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


def serve():
    op = settings.OP
    server = wsgiref.simple_server.make_server("127.0.0.1", op["port"], get_wsgi_application(),
                                               server_class=Server)
    server.base_environ["HTTPS"] = "on"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(op["tls"]["cert"], op["tls"]["key"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


def register():
    call_command("migrate", verbosity=0)
    client, user = settings.OP["client"], settings.OP["user"]
    application = get_application_model()
    application.objects.create(
        name=client["client_id"], client_id=client["client_id"],
        client_secret=client["client_secret"], client_type=application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=application.GRANT_AUTHORIZATION_CODE,
        redirect_uris=" ".join(client["redirect_uris"]),
        post_logout_redirect_uris=" ".join(client["post_logout_redirect_uris"]),
        algorithm=application.RS256_ALGORITHM, skip_authorization=True)
    made = User.objects.create_user(user["username"], user["email"], user["password"],
                                    first_name=user["given_name"], last_name=user["family_name"])
    for name in user["groups"]:
        made.groups.add(Group.objects.create(name=name))


def disable():
    """A refresh does not look at is_active: who disables a user takes back his tokens as well."""
    user = User.objects.get(username=settings.OP["user"]["username"])
    user.is_active = False
    user.save()
    get_refresh_token_model().objects.filter(user=user).delete()
    get_access_token_model().objects.filter(user=user).delete()


{"serve": serve, "register": register, "disable": disable}[sys.argv[1]]()
