# SPDX-License-Identifier: Apache-2.0
"""What is configured against what the metadata offer and demand."""

from .keys import ASYMMETRIC, strings
from .metadata import uses_par, uses_request_object

# What the module decrypts.
ENCRYPTION_ALGS = ("RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
ENCRYPTION_ENCS = ("A128GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512")


class Offers:
    def __init__(self, about, provider, data, client):
        self.about, self.provider, self.data, self.client = about, provider, data, client

    def run(self):
        """What the metadata ask that the module cannot do, or what it asks that they do not offer."""
        if self.data.get("require_pushed_authorization_requests") is True and \
                not uses_par(self.provider, self.data):
            self.about.wrong("metadata", "the provider demands pushed authorization requests of "
                             "everybody, and par is off", "par auto")
        if self.data.get("require_signed_request_object") is True and \
                not uses_request_object(self.provider, self.data):
            self.about.wrong("metadata", "the provider demands signed request objects of everybody",
                             "client_key, with which they are signed, and request_object auto")
        self.not_offered()
        offered = strings(self.data, "scopes_supported")
        missing = [s for s in self.provider.scope if offered and s not in offered]
        if missing:
            self.about.note("scope", f"the metadata do not list {', '.join(missing)}; they need not, "
                            "but some providers refuse a scope that they do not know")

    def not_offered(self):
        """What the configuration asks for and the metadata say that the provider does not know."""
        mode = self.provider.one("response_mode", "query")
        modes = strings(self.data, "response_modes_supported")
        if modes and mode not in modes:
            self.about.wrong("metadata", f"the provider offers no response_mode {mode}, but "
                             f"{', '.join(modes)}", "response_mode")
        if uses_request_object(self.provider, self.data) and \
                self.data.get("request_parameter_supported") is False:
            self.about.wrong("metadata", "the provider takes no request objects by value",
                             "request_object off")
        if self.provider.one("dpop_key") and self.data and \
                not strings(self.data, "dpop_signing_alg_values_supported"):
            self.about.note("metadata", "the provider does not say that it knows DPoP; what it then gives "
                            "are bearer tokens, which the module refuses beside dpop_key")
        self.encryption()
        self.signatures()
        self.logouts()

    def signatures(self):
        """What we sign, and what is to be signed for us."""
        for name, wanted, member in (
                ("dpop_key", True, "dpop_signing_alg_values_supported"),
                ("client_key", uses_request_object(self.provider, self.data),
                 "request_object_signing_alg_values_supported")):
            offered = strings(self.data, member)
            alg = self.about.attempt(name, self.client.alg, name) if wanted and offered else None
            if alg and alg not in offered:
                self.about.wrong("metadata", f"the provider takes no {alg} of {name}, but {', '.join(offered)}",
                                 f"another key, or alg= of {name}")
        for directive, wanted, member in (
                ("response_mode query.jwt", self.provider.one("response_mode") == "query.jwt",
                 "authorization_signing_alg_values_supported"),
                ("introspection_signed", self.provider.introspects and self.provider.on("introspection_signed"),
                 "introspection_signing_alg_values_supported")):
            offered = strings(self.data, member)
            if wanted and offered and not set(offered) & set(ASYMMETRIC):
                self.about.wrong("metadata", f"the provider signs what {directive} asks for with {', '.join(offered)} "
                                 "alone, which the module does not take", "an asymmetric algorithm there, or not this directive")
            elif wanted and self.data and not offered and directive == "introspection_signed":
                self.about.note("metadata", "the provider does not say that it signs answers about tokens; one that is not "
                                "signed is refused beside introspection_signed")

    def logouts(self):
        for channel in ("backchannel", "frontchannel"):
            if self.provider.one(f"{channel}_logout_uri") and self.data and \
                    self.data.get(f"{channel}_logout_supported") is not True:
                self.about.note("metadata", f"the provider does not say that it uses {channel}_logout_uri: a sign-out "
                                "there may end no session here")

    def encryption(self):
        """Whether the provider encrypts ID tokens in a way that the key can open."""
        words = self.provider.words("id_token_encryption_key")
        if not words or not self.data:
            return
        for what, known in (("alg", ENCRYPTION_ALGS), ("enc", ENCRYPTION_ENCS)):
            wanted = [w.removeprefix(f"{what}=") for w in words[1:] if w.startswith(f"{what}=")] or known
            offered = strings(self.data, f"id_token_encryption_{what}_values_supported")
            if not offered:
                self.about.note("metadata", f"the provider does not say with which {what} it encrypts ID tokens; "
                                "one that is not encrypted is refused beside id_token_encryption_key")
            elif not set(offered) & set(wanted):
                self.about.wrong("metadata", f"the provider encrypts ID tokens with no {what} of {', '.join(wanted)}, "
                                 f"but {', '.join(offered)}", "id_token_encryption_key")


def check_offers(about, provider, data, client):
    Offers(about, provider, data, client).run()
