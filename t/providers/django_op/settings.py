# SPDX-License-Identifier: Apache-2.0
"""A Django project with Django OAuth Toolkit as OpenID provider; OP_SETTINGS names a file of JSON with
what differs from run to run."""

import json
import os
import pathlib

OP = json.loads(pathlib.Path(os.environ["OP_SETTINGS"]).read_text())

SECRET_KEY = OP["secret"]
ALLOWED_HOSTS = ["localhost"]
ROOT_URLCONF = "urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": OP["database"],
                         # It lives as long as the run: nothing has to reach the disk.
                         "OPTIONS": {"timeout": 20, "init_command": "PRAGMA synchronous=OFF;"}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
                  "oauth2_provider"]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware",
              "django.middleware.csrf.CsrfViewMiddleware",
              "django.contrib.auth.middleware.AuthenticationMiddleware"]
LOGIN_URL = "/login/"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
USE_TZ = True
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "OPTIONS": {"context_processors": ["django.template.context_processors.request",
                                       "django.contrib.auth.context_processors.auth"],
                "loaders": [("django.template.loaders.locmem.Loader", {
                    "login.html": '<form method="post">{% csrf_token %}{{ form }}'
                                  '<input type="hidden" name="next" value="{{ next }}">'
                                  "<button>Sign in</button></form>"}),
                            "django.template.loaders.app_directories.Loader"]}}]

OAUTH2_PROVIDER = {
    "OIDC_ENABLED": True,
    "OIDC_ISS_ENDPOINT": OP["issuer"],
    "OIDC_RSA_PRIVATE_KEY": OP["key"],
    "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
    "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,
    "OAUTH2_VALIDATOR_CLASS": "claims.Claims",
    "ACCESS_TOKEN_EXPIRE_SECONDS": OP["access_token_seconds"],
    "SCOPES": {"openid": "", "profile": "", "email": "", "groups": ""},
}
