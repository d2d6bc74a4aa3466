# SPDX-License-Identifier: Apache-2.0
"""PromQL as dashboards and rules use it: parsed as a whole, or an error. What is not known here is an error as well,
so that nothing passes unread."""

import re

# Those that take a range, and what kind of metric makes sense for each.
OF_RANGES = {"rate": "counter", "irate": "counter", "increase": "counter", "delta": "gauge", "deriv": "gauge",
             "max_over_time": None, "min_over_time": None, "avg_over_time": None, "sum_over_time": None}
# Those that take instant vectors, and numbers before or behind: {name: arguments, n a number, v a vector}.
OF_VECTORS = {"histogram_quantile": "nv", "absent": "v", "clamp_min": "vn", "clamp_max": "vn", "vector": "n"}
AGGREGATIONS = {"sum": "v", "max": "v", "min": "v", "avg": "v", "count": "v", "topk": "nv", "bottomk": "nv"}
PRECEDENCE = {"or": 1, "and": 2, "unless": 2, "==": 3, "!=": 3, "<": 3, ">": 3, "<=": 3, ">=": 3, "+": 4, "-": 4,
              "*": 5, "/": 5, "%": 5}
DURATION = r"(?:\d+(?:ms|[smhdwy]))+"
TOKEN = re.compile(rf"""\s*(?:(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<range>\[{DURATION}\])|(?P<duration>{DURATION}\b)
    |(?P<number>\d+(?:\.\d+)?(?![\w:]))|(?P<name>[a-zA-Z_:][\w:]*)
    |(?P<sign>=~|!~|!=|==|<=|>=|[-+*/%<>=(){{}},]))""", re.X)


class Wrong(ValueError):
    """Not an expression, or one that is of no use."""


class Selector:
    """One metric that an expression reads: its matchers as (label, operator, value), and the functions around it,
    the innermost first."""

    def __init__(self, name, matchers, ranged):
        self.name, self.matchers, self.ranged = name, matchers, ranged
        self.around = []

    def __repr__(self):
        return f"{self.name}{self.matchers}"


def tokens(text):
    out, at = [], 0
    text = text.strip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise Wrong(f"not understood from here on: {text[at:at + 40]!r}")
        out.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return out + [("end", "")]


class Parser:
    def __init__(self, text):
        self.text = text
        self.tokens = tokens(text)
        self.selectors = []
        self.grouped = set()    # labels named by `by`, `without`, `on` and `ignoring`

    def fail(self, wanted):
        raise Wrong(f"{wanted} expected before {self.tokens[0][1]!r} in {self.text!r}")

    def take(self, *wanted):
        kind, value = self.tokens[0]
        if wanted and value not in wanted and kind not in wanted:
            self.fail(" or ".join(wanted))
        self.tokens.pop(0)
        return value

    def at(self, *values):
        return self.tokens[0][1] in values and self.tokens[0][0] in ("name", "sign")

    def whole(self):
        kind = self.expression(1)
        if self.tokens[0][0] != "end":
            self.fail("the end")
        if kind == "range":
            raise Wrong(f"a range is no result: {self.text!r}")
        return self

    def expression(self, least):
        """Returns "number", "vector" or "range"."""
        left = self.operand()
        while PRECEDENCE.get(self.tokens[0][1], 0) >= least and self.tokens[0][0] in ("name", "sign"):
            operator = self.take()
            if self.at("bool"):
                self.take()
            if self.at("on", "ignoring"):
                self.take()
                self.labels()
                if self.at("group_left", "group_right"):
                    self.take()
                    if self.at("("):
                        self.labels()
            right = self.expression(PRECEDENCE[operator] + 1)
            if "range" in (left, right):
                raise Wrong(f"{operator} takes no range: {self.text!r}")
            if operator in ("and", "or", "unless") and "number" in (left, right):
                raise Wrong(f"{operator} takes no number: {self.text!r}")
            left = "vector" if "vector" in (left, right) else "number"
        return left

    def operand(self):
        kind, value = self.tokens[0]
        if value == "-" and kind == "sign":
            self.take()
            return self.operand()
        if value == "(":
            self.take()
            inner = self.expression(1)
            self.take(")")
            return inner
        if kind == "number":
            self.take()
            return "number"
        if kind != "name" or value in PRECEDENCE:
            self.fail("an operand")
        self.take()
        if value in AGGREGATIONS and self.at("(", "by", "without"):
            return self.aggregation(value)
        if self.at("("):
            return self.function(value)
        return self.selector(value)

    def labels(self):
        self.take("(")
        out = []
        while not self.at(")"):
            out.append(self.take("name"))
            if not self.at(")"):
                self.take(",")
        self.take(")")
        self.grouped.update(out)
        return out

    def aggregation(self, name):
        grouping = []
        if self.at("by", "without"):
            grouping = [self.take(), *self.labels()]
        first = len(self.selectors)
        self.arguments(name, AGGREGATIONS[name])
        if not grouping and self.at("by", "without"):
            grouping = [self.take(), *self.labels()]
        for selector in self.selectors[first:]:
            selector.around.append((name, tuple(grouping)))
        return "vector"

    def function(self, name):
        if name not in OF_RANGES and name not in OF_VECTORS:
            raise Wrong(f"{name} is no function that is known here: {self.text!r}")
        first = len(self.selectors)
        self.arguments(name, "r" if name in OF_RANGES else OF_VECTORS[name])
        for selector in self.selectors[first:]:
            selector.around.append((name, ()))
        return "vector"

    def arguments(self, name, wanted):
        self.take("(")
        for place, kind in enumerate(wanted):
            if place:
                self.take(",")
            found = self.expression(1)
            if found[0] != kind:
                raise Wrong(f"{name} wants a {kind}, not a {found}: {self.text!r}")
        self.take(")")

    def selector(self, name):
        matchers = []
        if self.at("{"):
            self.take()
            while not self.at("}"):
                label = self.take("name")
                operator = self.take("=", "!=", "=~", "!~")
                value = self.take("string")[1:-1]
                if operator.endswith("~"):
                    re.compile(value)
                matchers.append((label, operator, value))
                if not self.at("}"):
                    self.take(",")
            self.take("}")
        ranged = self.tokens[0][0] == "range"
        if ranged:
            self.take()
        if self.at("offset"):
            self.take()
            self.take("duration")
        self.selectors.append(Selector(name, matchers, ranged))
        return "range" if ranged else "vector"


def parse(text):
    """The parsed expression: its `selectors` and the labels that it groups by."""
    return Parser(text).whole()


def misuses(parsed, kinds):
    """What an expression does with metrics that are of another kind. `kinds`: {family: type}."""
    out = []
    for selector in parsed.selectors:
        base = re.sub(r"_(bucket|sum|count)$", "", selector.name)
        kind = kinds.get(selector.name) or ("counter" if kinds.get(base) == "histogram" else None)
        functions = [name for name, _ in selector.around]
        innermost = functions[0] if functions else ""
        if selector.ranged and OF_RANGES[innermost] not in (None, kind):
            out.append(f"{innermost} of {selector.name}, which is a {kind}")
        # Since when a counter counts says nothing; whether there is one at all may be asked.
        if kind == "counter" and not selector.ranged and "absent" not in functions and not parsed.text.count("unless"):
            out.append(f"{selector.name} as it is, which is a counter")
        if "histogram_quantile" in functions:
            grouping = next((labels for name, labels in selector.around if name in AGGREGATIONS), None)
            if not selector.name.endswith("_bucket"):
                out.append(f"histogram_quantile of {selector.name}, which are no buckets")
            elif grouping and (("le" in grouping) != (grouping[0] == "by")):
                out.append(f"histogram_quantile of {selector.name} without le")
    return out
