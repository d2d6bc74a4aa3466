# SPDX-License-Identifier: Apache-2.0
"""The tree of nginx's configuration, from what `nginx -T` prints."""

import fnmatch
import glob
import os
import re
import urllib.parse

from .report import Trouble


class ConfigurationError(Trouble):
    """What cannot be read, so that nothing can be told of it."""

    def __init__(self, text, fix):
        super().__init__(text, fix, unknown=True)


class Directive:
    def __init__(self, name, args, block, file, line):
        self.name, self.args, self.block, self.file, self.line = name, args, block, file, line

    def __repr__(self):
        return f"{self.name} {self.args} {self.block if self.block is not None else ''}"


ESCAPES = {'"': '"', "'": "'", "\\": "\\", "t": "\t", "r": "\r", "n": "\n"}
BLANKS = " \t\r\n"
# Of Lua: long comments and strings, comments, strings, and the braces that count.
PROGRAM = re.compile(r"""--\[(=*)\[.*?\]\1\]|\[(=*)\[.*?\]\2\]|--[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[{}]""", re.S)


class Tokens:
    """nginx's own rules (ngx_conf_read_token): a quote counts at the start of a word only, ${ is no
    block, a backslash keeps the next character from meaning anything. What fails is told by its place:
    the word may be the rest of a secret."""

    def __init__(self, text, file):
        self.text, self.file, self.at, self.line = text, file, 0, 1

    def fail(self, what, fix="nginx -t says what is wrong there"):
        raise ConfigurationError(f"{what} in {self.file}:{self.line}", fix)

    def skip(self):
        while self.at < len(self.text):
            c = self.text[self.at]
            if c == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif c in BLANKS:
                self.line += c == "\n"
                self.at += 1
            else:
                return

    def next(self):
        """(text, whether it is a word); (None, False) at the end."""
        self.skip()
        if self.at >= len(self.text):
            return None, False
        c = self.text[self.at]
        if c in ";{}":
            self.at += 1
            return c, False
        return (self.quoted(c) if c in "\"'" else self.bare()), True

    def escape(self):
        """The value of the backslash here and what follows it."""
        follows = self.text[self.at + 1:self.at + 2]
        if not follows:
            self.fail("unexpected end of file")
        self.line += follows == "\n"
        self.at += 2
        return ESCAPES.get(follows, "\\" + follows)

    def quoted(self, quote):
        out = ""
        self.at += 1
        while True:
            c = self.text[self.at:self.at + 1]
            if not c:
                self.fail(f"no closing {quote}")
            if c == "\\":
                out += self.escape()
                continue
            self.at += 1
            if c == quote:
                break
            self.line += c == "\n"
            out += c
        follows = self.text[self.at:self.at + 1]
        if follows and follows not in BLANKS + ";{)":
            self.fail("no blank after a closing quote")
        return out

    def bare(self):
        out, variable = "", False
        while self.at < len(self.text):
            c = self.text[self.at]
            if c in BLANKS or c == ";" or c == "{" and not variable:
                break
            if c == "\\":
                out += self.escape()
                variable = False
                continue
            variable = c == "$"
            out += c
            self.at += 1
        return out

    def skip_program(self):
        """The rest of a *_by_lua_block, which is no configuration. A brace in a string or comment of Lua closes nothing."""
        depth = 1
        while depth:
            found = PROGRAM.search(self.text, self.at)
            if not found:
                self.fail('no closing "}"')
            depth += (found[0] == "{") - (found[0] == "}")
            self.line += self.text.count("\n", self.at, found.end())
            self.at = found.end()


class Configuration:
    """The tree of the configuration that `nginx -T` has printed, includes in their places."""

    HEADER = re.compile(r"^# configuration file (.+):\n", re.M)

    def __init__(self, dump):
        parts = self.HEADER.split(dump)
        self.files = dict(reversed(list(zip(parts[1::2], parts[2::2]))))
        if not self.files:
            self.files = {"nginx.conf": dump}
        self.main = parts[1] if len(parts) > 1 else "nginx.conf"
        self.depth = 0
        self.block = self.read(self.main)

    def read(self, name):
        self.depth += 1
        if self.depth > 20:
            raise ConfigurationError(f"{name} includes itself", "take that include out")
        tokens = Tokens(self.files[name], name)
        block = self.inside(tokens, nested=False)
        self.depth -= 1
        return block

    def inside(self, tokens, nested, within=None):
        out, words, line = [], [], 0
        while True:
            token, is_word = tokens.next()
            if is_word:
                line = line if words else tokens.line
                words.append(token)
                continue
            if token is None or token == "}":
                if words:
                    tokens.fail('a directive without ";" or block')
                if (token == "}") != nested:
                    tokens.fail('unexpected "}"' if token else 'no closing "}"')
                return out
            if not words:
                tokens.fail(f'unexpected "{token}"')
            name, args, words = words[0], words[1:], []
            if token == "{" and name.endswith("_by_lua_block"):
                tokens.skip_program()
            elif token == "{":
                out.append(Directive(name, args, self.inside(tokens, True, name), tokens.file, line))
            elif name == "include" and len(args) == 1:
                out += self.included(args[0], tokens, within)
            else:
                out.append(Directive(name, args, None, tokens.file, line))

    def included(self, pattern, tokens, within):
        pattern = os.path.join(os.path.dirname(self.main), pattern)
        if not glob.has_magic(pattern):
            if within == "geo" and pattern not in self.files:
                return []  # nginx has read the base beside it, NAME.bin, which it does not print
            if pattern not in self.files:
                tokens.fail(f"the dump has no {pattern}, which is included", "give all that nginx -T prints")
            return self.read(pattern)
        out = []
        for name in sorted(self.files):
            # A * of nginx does not go beyond a slash, nor does it match a dot in front.
            if name.count("/") == pattern.count("/") and all(
                    fnmatch.fnmatchcase(n, p) and (p[:1] == "." or n[:1] != ".")
                    for n, p in zip(name.split("/"), pattern.split("/"))):
                out += self.read(name)
        return out


def named(block, *names):
    return [d for d in block or () if d.name in names]


def value(block, name, default=None):
    """The words of a directive; the last one where it may stand more than once."""
    found = named(block, name)
    return found[-1].args if found else default


def walk(block):
    for directive in block or ():
        yield directive
        yield from walk(directive.block)


DAY = 24 * 3600
WELL_KNOWN = "/.well-known/openid-configuration"
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": DAY, "w": 7 * DAY, "M": 30 * DAY,
         "y": 365 * DAY}


def seconds(text):
    parts = re.findall(r"(\d+)(ms|[smhdwMy])?", text.replace(" ", ""))
    if not parts or "".join(n + u for n, u in parts) != text.replace(" ", ""):
        raise ConfigurationError(f'"{text}" is no time', "a number with s, m, h or d, such as 30s")
    return sum(int(n) * UNITS[u or "s"] for n, u in parts)


def size(text):
    found = re.fullmatch(r"(\d+)([kKmM]?)", text)
    if not found:
        raise ConfigurationError(f'"{text}" is no size', "a number of bytes, with k or m, such as 16k")
    return int(found[1]) * {"": 1, "k": 1024, "m": 1024 * 1024}[found[2].lower()]


class Provider:
    """An oidc_provider block."""

    ALIASES = {"scopes": "scope"}

    def __init__(self, name, block, prefix):
        self.name, self.prefix = name, prefix
        self.given = {}
        for directive in block:
            self.given[self.ALIASES.get(directive.name, directive.name)] = directive.args
        self.introspects = False  # some location has auth_oidc_bearer introspection or auto
        self.signs_in = True  # not the source of claims alone
        self.sources = {d.args[0]: [w.partition("=")[2] for w in d.args[1:] if w.startswith("endpoint_host=")]
                        for d in block if d.name == "claim_source" and d.args}
        self.endpoint_hosts = []  # of claim_source, wherever it names this one
        # With issuer_template the template, as the metadata have it.
        self.tenants = self.words("issuer_template")[1:]
        self.issuer = self.one("issuer", "") or self.one("issuer_template", "")
        self.client_id = self.one("client_id", "")

    def words(self, name):
        return self.given.get(name, [])

    def one(self, name, default=None):
        words = self.words(name)
        return words[0] if words else default

    def on(self, name):
        return self.one(name, "off") == "on"

    def path(self, text):
        return os.path.join(self.prefix, text) if text else None

    @property
    def has_credentials(self):
        return any(self.one(n) for n in ("client_secret", "client_secret_file", "client_key", "client_assertion_file"))

    @property
    def issuers(self):
        """What tokens may name."""
        return [self.issuer.replace("{tenantid}", t) for t in self.tenants] or [self.issuer]

    @property
    def scope(self):
        words = self.words("scope") or ["openid"]
        return words if "openid" in words else ["openid", *words]

    @property
    def callback(self):
        """The path of redirect_uri."""
        text = self.one("redirect_uri", "/oidc_callback")
        return urllib.parse.urlsplit(text).path if "://" in text else text

    def metadata_url(self):
        return self.one("config_url") or self.issuer.removesuffix("/") + WELL_KNOWN

    @property
    def needs_metadata(self):
        return not all(self.one(n) for n in ("authorization_endpoint", "token_endpoint")) \
            or not (self.one("jwks_uri") or self.one("jwks_file"))
