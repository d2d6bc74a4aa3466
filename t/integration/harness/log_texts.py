# SPDX-License-Identifier: Apache-2.0
"""The log lines that the sources can write: each text with the levels at which it is written."""

import functools
import re

from .cpp import ANY, Source, tidy

LEVELS = {"NGX_LOG_EMERG": "emerg", "NGX_LOG_ALERT": "alert", "NGX_LOG_CRIT": "crit", "NGX_LOG_ERR": "error",
          "NGX_LOG_WARN": "warn", "NGX_LOG_NOTICE": "notice", "NGX_LOG_INFO": "info",
          "LogLevel::error": "error", "LogLevel::warn": "warn", "LogLevel::notice": "notice",
          "LogLevel::info": "info"}
BY_REASON = "of the code"
FORMAT = re.compile(r"%[0-9.]*(?:\*?s|u?[xX]?[zioDLMAd]|[VvPpTtcr])")  # of ngx_sprintf()

# What several files put their lines together with; it writes none itself.
WORDS = "ngx_module/config/places.cpp"

# Texts that only frame what they are given by the callers, who are found by themselves.
FRAMES = {
    'session store "…": …',  # RedisStore::log
    '"…" …',  # Block::error
    '… "…"',  # add_zone
}
# nginx -t: the reason is the core's own sentence, or that of reading a file.
DETAILS = {ANY, '"…" "…" …', '"…" "…": …'}


def told_by(source):
    """(kind, text, level) of each line that a source can write; kind is "run" or "test" (nginx -t)."""
    for at, name, arguments in source.calls():
        name = name.rpartition("::")[2]
        if not arguments:
            continue
        if name in {"conf_error", "conf_warn"}:
            level = {"emerg" if name == "conf_error" else "warn"}
            yield from lines("test", source, at, arguments[1:], level)
        elif name == "error":
            yield from lines("test", source, at, arguments[:1], {"emerg"}, '"…" ')
        elif name == "add_zone":
            yield from lines("test", source, at, arguments[-1:], {"emerg"}, after=' "…"')
        elif name == "ngx_conf_log_error":
            yield from lines("test", source, at, arguments[3:4], levels_of(arguments[0]), formatted=True)
        else:
            if any("DEBUG" in text or text == "LogLevel::debug" for _, text in arguments[0]):
                continue  # docs/operations.md is about what is logged without a debug build
            levels = set().union(*(levels_of(a) for a in arguments if is_level(a)))
            if not levels and (name == "ngx_log_error" or (name == "write" and arguments[0][-1][1] == "level")):
                levels = {BY_REASON}
            if levels and name == "ngx_log_error":
                yield from lines("run", source, at, arguments[3:4], levels, formatted=True)
            elif levels and name != "log_at":
                yield from lines("run", source, at, arguments[1:], levels)


def is_level(argument):
    """A level, or a choice between some: `LogLevel::warn`, `down ? NGX_LOG_INFO : NGX_LOG_ERR`."""
    return bool(argument) and bool(levels_of(argument)) and not any(
        kind == "string" or text in {"(", "{", "=="} for kind, text in argument)


def levels_of(argument):
    return {LEVELS[text] for _, text in argument if text in LEVELS}


def lines(kind, source, at, arguments, levels, before="", after="", formatted=False):
    """The text is the argument that says most."""
    options = [source.line(argument, at) for argument in arguments if argument]
    if not options:
        return
    best = max(options, key=lambda texts: max(sum(c.isalpha() for c in text) for text in texts))
    for text in best:
        if formatted:
            text = FORMAT.sub(ANY, text)
            if kind == "run":
                if levels == {BY_REASON} and not text.startswith("oidc: "):
                    continue  # nginx -t: what conf_error() writes is found at its callers
                assert text.startswith("oidc: "), f"this line does not say that it is ours: {text}"
                text = text.removeprefix("oidc: ")
        text = tidy(before + text + after)
        if kind == "run" and levels == {BY_REASON} and text == ANY:
            continue  # a function that writes what it is given
        for level in sorted(levels):
            yield kind, text, level


@functools.lru_cache(maxsize=None)
def told_in(text):
    return list(told_by(Source(text)))


def collect(texts):
    """{"run": {text: {level}}, "test": …} of {path: source}; what cannot be read is an error."""
    out = {"run": {}, "test": {}}
    words = texts.get(WORDS, "")
    for path, source in texts.items():
        for kind, text, level in told_in(source if path == WORDS else source + words):
            if text in FRAMES or (kind == "test" and text in DETAILS):
                continue
            assert re.search(r"[a-z]", text), f"{path}: the text of a log line cannot be read: {text}"
            out[kind].setdefault(text, set()).add(level)
    return out
