# SPDX-License-Identifier: Apache-2.0
"""Enough of C++ to find the calls in a source and the texts that they are given: for tests of the documents."""

import re

TOKEN = re.compile(r"""
    (?P<space>\s+ | //[^\n]* | /\*.*?\*/)
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<number>\d[\w'.]*)
  | (?P<char>'(?:\\.|[^'\\])')
  | (?P<name>[A-Za-z_~]\w*(?:::~?\w+)*)
  | (?P<mark>->|<<|>>|\+=|==|!=|<=|>=|&&|\|\||::|.)
""", re.X | re.S)

OPEN, CLOSE = {"(", "[", "{"}, {")", "]", "}"}
ANY = "…"  # stands for what is known only when the program runs
MACROS = {"ngx_shutdown_socket_n": "shutdown()"}
QUOTES = {"quoted", "in_quotes"}
STRING_TYPES = {"std::string", "string", "std::string_view", "string_view", "auto"}


def tokens(text):
    """[(kind, text)] without comments and blanks."""
    return [(m.lastgroup, m[0]) for m in TOKEN.finditer(text) if m.lastgroup != "space"]


def closing(toks, start):
    """The index of what closes the bracket at `start`."""
    depth = 0
    for i in range(start, len(toks)):
        if toks[i][0] == "mark":
            depth += (toks[i][1] in OPEN) - (toks[i][1] in CLOSE)
            if depth == 0:
                return i
    return len(toks)


def split(toks, mark):
    """The parts between the `mark`s that stand in no bracket."""
    parts, depth = [[]], 0
    for kind, text in toks:
        if kind == "mark":
            depth += (text in OPEN) - (text in CLOSE)
            if depth == 0 and text == mark:
                parts.append([])
                continue
        parts[-1].append((kind, text))
    return parts


def literal(text):
    """The value of a string literal."""
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r"}.get(m[1], m[1]), text[1:-1])


def tidy(text):
    """Neighbouring gaps are one, and a tail of gaps too: how long a detail is does not matter."""
    text = re.sub(ANY + "+", ANY, text)
    return re.sub(ANY + "[ :;" + ANY + "]+$", ANY, text)


class Source:
    """One file."""

    def __init__(self, text):
        self.toks = tokens(text)
        self.depths = []
        depth = 0
        for kind, mark in self.toks:
            depth -= kind == "mark" and mark == "}"
            self.depths.append(depth)
            depth += kind == "mark" and mark == "{"

    def calls(self):
        """(index, name, arguments) of everything that looks like a call; declarations are left out."""
        for i, (kind, name) in enumerate(self.toks[:-1]):
            if kind != "name" or self.toks[i + 1][1] != "(":
                continue
            before = self.toks[i - 1] if i else ("mark", ";")
            if before[1] in {"*", "&"} or (before[0] == "name" and before[1] not in {"return", "else"}):
                continue
            end = closing(self.toks, i + 1)
            inside = self.toks[i + 2:end]
            yield i, name, split(inside, ",") if inside else []

    # ---- texts

    def texts(self, toks, at, known=None):
        """What the expression may give, gaps as ANY. `at`: where it stands; `known`: values of parameters."""
        known = known or {}
        question = split(toks, "?")
        if len(question) > 1:
            rest = toks[len(question[0]) + 1:]
            yes, no = self.halves(rest)
            return self.texts(yes, at, known) + self.texts(no, at, known)
        out = [""]
        for part in split(toks, "+"):
            out = [a + b for a in out for b in self.piece(part, at, known)]
        return [re.sub(ANY + "+", ANY, text) for text in out]

    @staticmethod
    def halves(toks):
        """`a : b`, where a may hold a `? :` of its own."""
        depth = nested = 0
        for i, (kind, text) in enumerate(toks):
            if kind != "mark":
                continue
            depth += (text in OPEN) - (text in CLOSE)
            if depth == 0:
                nested += text == "?"
                if text == ":" and nested == 0:
                    return toks[:i], toks[i + 1:]
                nested -= text == ":"
        return toks, []

    def piece(self, toks, at, known):
        # "literal" MACRO "literal"
        if any(kind == "string" for kind, _ in toks) and all(kind in {"string", "name"} for kind, _ in toks):
            return ["".join(literal(text) if kind == "string" else MACROS.get(text, ANY) for kind, text in toks)]
        if toks and toks[0][1] == "(" and closing(toks, 0) == len(toks) - 1:
            return self.texts(toks[1:-1], at, known)
        if len(toks) > 2 and toks[0][0] == "name" and toks[1][1] == "(" and closing(toks, 1) == len(toks) - 1:
            name, inside = toks[0][1], toks[2:-1]
            if name in STRING_TYPES:
                return self.texts(inside, at, known)
            if name in QUOTES:
                return [f'"{text}"' for text in self.texts(inside, at, known)]
            told = self.helper(name, split(inside, ","), at, known)
            return told if told and len(told) == 1 else [ANY]
        if len(toks) == 1 and toks[0][0] == "name":
            if toks[0][1] in known:
                return known[toks[0][1]]
            told = self.variable(toks[0][1], at, known, whole=False)
            return told if told and len(told) == 1 else [ANY]
        return [ANY]

    def variable(self, name, at, known, whole):
        """The texts of a local variable at a place; with `whole`, what was appended to it as well, unless on
        a condition. None: it is not known."""
        for i in range(at - 1, 0, -1):
            if self.toks[i][1] != name or self.toks[i - 1][1] not in STRING_TYPES:
                continue
            start = i + 2
            if self.toks[i + 1][1] == "=":
                end = next(j for j in range(i, len(self.toks)) if self.toks[j][1] == ";")
            elif self.toks[i + 1][1] in {"(", "{"}:
                end = closing(self.toks, i + 1)
            else:
                return None
            out = self.texts(self.toks[start:end], i, known)
            return [a + b for a in out for b in self.appended(name, end, at, known)] if whole else out
        return None

    def appended(self, name, start, at, known):
        out = [""]
        i = start
        while i < at:
            if self.toks[i][1] == name and self.depths[i] <= self.depths[at]:
                j = i + 1
                while self.toks[j][1] == "." and self.toks[j + 1][1] == "append":
                    end = closing(self.toks, j + 2)
                    out = [a + b for a in out for b in self.texts(self.toks[j + 3:end], i, known)]
                    j = end + 1
                if self.toks[j][1] == "+=":
                    end = next(k for k in range(j, len(self.toks)) if self.toks[k][1] == ";")
                    out = [a + b for a in out for b in self.texts(self.toks[j + 1:end], i, known)]
                    j = end
                i = max(i + 1, j)
            else:
                i += 1
        return out

    def helper(self, name, arguments, at, known):
        """The texts of a call of a function of this file that puts a line together; None: it is none."""
        for i, (kind, text) in enumerate(self.toks):
            if kind != "name" or text != name or self.toks[i - 1][1] not in {"std::string"} \
                    or self.toks[i + 1][1] != "(":
                continue
            end = closing(self.toks, i + 1)
            if end + 1 >= len(self.toks) or self.toks[end + 1][1] != "{":
                continue
            names = [part[-1][1] for part in split(self.toks[i + 2:end], ",") if part]
            given = {n: self.texts(a, at, known) for n, a in zip(names, arguments)}
            last = closing(self.toks, end + 1)
            ends = [j for j in range(end, last) if self.toks[j][1] == "return"]
            if len(ends) != 1:
                return None
            expression = self.toks[ends[0] + 1:next(j for j in range(ends[0], last + 1) if self.toks[j][1] == ";")]
            return self.line(expression, ends[0], given)
        return None

    def line(self, toks, at, known=None):
        """As texts(), for an argument that is the whole line."""
        if len(toks) == 1 and toks[0][0] == "name":
            told = self.variable(toks[0][1], at, known or {}, whole=True)
            if told:
                return told
        return self.texts(toks, at, known)
