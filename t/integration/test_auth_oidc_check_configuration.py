# SPDX-License-Identifier: Apache-2.0
"""How ops/auth-oidc-check reads nginx's configuration: as nginx does."""

import importlib
import os
import re
import subprocess
import sys

import pytest

from harness.cases import case, rows
from harness.nginx import BINARY, ROOT
from test_auth_oidc_check import run


@pytest.fixture(scope="module")
def reader():
    sys.path.insert(0, str(ROOT / "ops"))
    try:
        yield importlib.import_module("auth_oidc_check.configuration")
    finally:
        sys.path.remove(str(ROOT / "ops"))


def dump(**files):
    return "".join(f"# configuration file /etc/nginx/{name.replace('__', '/')}.conf:\n{text}\n"
                   for name, text in files.items())


WORDS = rows("F-41", {
    "plain": ("a b  c;", ["a", "b", "c"]),
    "lines": ("a\n\tb\r\n c\n;", ["a", "b", "c"]),
    "quotes": ("a \"b c\" 'd;e' '{' \"}\" \"#\";", ["a", "b c", "d;e", "{", "}", "#"]),
    "empty": ("a \"\" '';", ["a", "", ""]),
    "quote-in-quotes": ("a \"b'c\" 'd\"e';", ["a", "b'c", 'd"e']),
    "escaped-quotes": (r"""a "b\"c" 'd\'e' f\"g;""", ["a", 'b"c', "d'e", 'f"g']),
    "escapes": (r'a b\tc "d\ne" f\\g;', ["a", "b\tc", "d\ne", "f\\g"]),
    "other-escapes": (r"a b\.c \d+ e\;f g\ h;", ["a", r"b\.c", r"\d+", r"e\;f", r"g\ h"]),
    "comment": ("# x;\na # y {\nb;# z", ["a", "b"]),
    "no-comment": ("a b#c d;", ["a", "b#c", "d"]),
    "quote-inside": ("a b\"c d'e;", ["a", 'b"c', "d'e"]),
    "braces-of-a-variable": ("a x${b}c ${d};", ["a", "x${b}c", "${d}"]),
    "closing-brace-inside": ("a b}c;", ["a", "b}c"]),
    "newline-in-quotes": ("a \"b\nc\";", ["a", "b\nc"]),
    "no-blank": ("a \"b\";", ["a", "b"]),
    "bracket-after-quotes": ("a (\"b\");", ["a", '("b")']),
    "utf-8": ("a ü\u00a0b;", ["a", "ü\u00a0b"]),
})


@pytest.mark.parametrize("text, words", WORDS)
def test_words(reader, text, words):
    directive, = reader.Configuration(dump(nginx=text)).block
    assert [directive.name, *directive.args] == words


@pytest.mark.skipif(os.getuid() != 0, reason="nginx looks up its user for root alone")
@pytest.mark.parametrize("written", rows("F-41", {
    "plain": "b", "double": '"b c"', "single": "'b;c'", "braces": "'{}'", "quote": "b\"c",
    "other-quote": "'b\"c'", "escaped-quote": r"'b\"c'", "escaped": r"b\"c", "backslash": r"b\\c",
    "kept": r"b\.c\;d\ e", "tab": r"b\tc", "comment": "b#c", "variable": "b${c}d", "two": "$${b}c",
    "closing": "b}c", "bracket": "(b)", "utf-8": "ü", "in-quotes": r"'\q\\'", "dollar": "'$b {'",
}))
def test_words_as_nginx_reads_them(reader, tmp_path, written):
    """nginx names the user that it does not find."""
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"user {written};")
    done = subprocess.run([BINARY, "-t", "-p", tmp_path, "-e", "stderr", "-c", conf],
                          capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r'getpwnam\("(.*)"\) failed', done.stderr, re.S)
    assert found, done.stderr
    directive, = reader.Configuration(conf.read_text()).block
    assert directive.args == [found[1]]


@pytest.mark.parametrize("text", rows("F-41", {
    "no-semicolon": "a b", "open-block": "a { b;", "closed-twice": "a { } }", "open-quote": "a 'b;",
    "after-quote": "a 'b'c;", "lone-semicolon": ";", "lone-block": "{ }", "in-block": "a { b }",
    "backslash-at-the-end": "a b\\",
}))
def test_what_nginx_refuses(reader, tmp_path, text):
    with pytest.raises(reader.ConfigurationError, match=r"nginx\.conf:\d"):
        reader.Configuration(dump(nginx=text))
    conf = tmp_path / "nginx.conf"
    conf.write_text(text)
    done = subprocess.run([BINARY, "-t", "-p", tmp_path, "-e", "stderr", "-c", conf],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0


MISQUOTED = rows("F-41", {
    "semicolon-inside": "{ client_secret s3c;canary }", "after-quote": '{ client_secret "s3c"canary; }',
    "open-quote": "{ client_secret 's3c'canary'; }", "two-words": "{ client_secret s3c canary }",
    "two-lines": '{ client_secret s3c;"can\nary" }', "block": "{ client_secret s3c;canary{ }",
})


@pytest.mark.parametrize("text", MISQUOTED)
def test_a_misquoted_secret(tmp_path, text):
    """Neither this program nor what it repeats of nginx prints the rest of it: the place is enough."""
    conf, program = tmp_path / "nginx.conf", tmp_path / "nginx"
    conf.write_text(f"events {{ }}\nhttp {{\noidc_provider main {text}")
    program.write_text(f'#!/bin/sh\nexec {BINARY} -e stderr -p {tmp_path} "$@"\n')
    program.chmod(0o755)
    for arguments in (("--dump", conf), ("--nginx", program, "-c", conf)):
        result = run(*arguments)
        assert result.code == 2 and re.search(r"nginx\.conf:[34]", result.output), result.output
        assert "ary" not in result.output and "s3c" not in result.output, result.output


def names(block):
    return [(d.name, *d.args, names(d.block)) if d.block is not None else (d.name, *d.args)
            for d in block]


@case("F-41")
def test_blocks_and_includes(reader):
    tree = reader.Configuration(dump(
        nginx="user a; http { include conf.d/*.conf; include one.conf; map $a $b { include m.conf; } }",
        conf_d__b="", m="x y;", one="server { listen 1; }") + dump(
            nginx="never").replace("nginx.conf", "sub/deep/x.conf").replace("never", "not; here;")
        + "# configuration file /etc/nginx/conf.d/b.conf:\nserver { listen 2; }\n"
        + "# configuration file /etc/nginx/conf.d/a.conf:\nserver { listen 3; }\n"
        + "# configuration file /etc/nginx/conf.d/.hidden.conf:\nserver { listen 4; }\n"
        + "# configuration file /etc/nginx/conf.d/x/c.conf:\nserver { listen 5; }\n")
    assert names(tree.block) == [("user", "a"), ("http", [
        ("server", [("listen", "3")]), ("server", [("listen", "2")]), ("server", [("listen", "1")]),
        ("map", "$a", "$b", [("x", "y")])])]
    listen = tree.block[1].block[1].block[0]
    assert listen.file == "/etc/nginx/conf.d/b.conf" and listen.line == 1


@case("F-41")
def test_an_include_that_the_dump_lacks(reader):
    with pytest.raises(reader.ConfigurationError, match="/etc/nginx/x.conf"):
        reader.Configuration(dump(nginx="include x.conf;"))
    assert reader.Configuration(dump(nginx="include x/*.conf;")).block == []
    # The base that nginx has made of it lies beside it.
    assert reader.Configuration(dump(nginx="http { geo $a { include x.conf; } }")).block[0].block[0].block == []
    with pytest.raises(reader.ConfigurationError, match="itself"):
        reader.Configuration(dump(nginx="include nginx.conf;"))


@case("F-41")
@pytest.mark.parametrize("program", rows("F-41", {
    "braces": 'if "x" then { y = 1 } end', "comment": "x() -- ; }\n", "string": "ngx.say('}')", "double": 'ngx.say("{\\"}")',
    "long": "x = [[ } ' ]] .. [=[ ]] } ]=]", "long-comment": "--[[ }\n } ]] x()", "apostrophe": "x() -- isn't {\n y()",
    "index": "a[b[1]] = {}", "both-quotes": """x = "'" .. '"}' """,
}))
def test_programs_are_skipped(reader, program):
    tree = reader.Configuration(dump(nginx="a_by_lua_block { " + program + " }\nb c;"))
    assert names(tree.block) == [("b", "c")] and tree.block[0].line == program.count("\n") + 2


@case("F-41")
@pytest.mark.parametrize("program", rows("F-41", {"open": "{", "comment": "-- }"}))
def test_a_program_without_an_end(reader, program):
    with pytest.raises(reader.ConfigurationError, match='no closing "}"'):
        reader.Configuration(dump(nginx="a_by_lua_block { " + program))


@case("F-41")
def test_times_and_sizes(reader):
    assert [reader.seconds(t) for t in ("5", "5s", "1m30s", "100ms", "2h", "1d")] == \
        [5, 5, 90, 0.1, 7200, 86400]
    assert [reader.size(t) for t in ("8k", "16K", "1m", "100")] == [8192, 16384, 1 << 20, 100]
    for wrong in ("", "x", "5x", "5 minutes"):
        with pytest.raises(reader.ConfigurationError):
            reader.seconds(wrong)
    for wrong in ("", "8 k", "8g", "-1"):
        with pytest.raises(reader.ConfigurationError):
            reader.size(wrong)
