# SPDX-License-Identifier: Apache-2.0
"""The lines of the result."""

import base64
import json
import os
import sys
import urllib.parse

OK, NOTE, WRONG, UNKNOWN = "ok", "note", "wrong", "unknown"


class Trouble(Exception):
    """What went wrong, and what to do about it. `unknown`: it says nothing of the configuration."""

    def __init__(self, text, fix, unknown=False):
        super().__init__(text)
        self.text, self.fix, self.unknown = text, fix, unknown


class Report:
    """The lines. What is secret is blanked in them, however it got there."""

    def __init__(self):
        self.lines = []
        self.hidden = []

    def hide(self, text):
        if text:
            data = text.encode("utf-8", "surrogateescape")
            pair = {text, urllib.parse.quote_plus(data), urllib.parse.quote(data, ""), base64.b64encode(data).decode()}
            self.hidden = sorted({*self.hidden, *pair}, key=len, reverse=True)

    def blank(self, text):
        for hidden in self.hidden:
            text = text.replace(hidden, "***")
        return "".join(c if c.isprintable() else "?" for c in text)

    def add(self, status, about, check, text, fix=""):
        self.lines.append({"status": status, "about": about, "check": check,
                           "text": self.blank(text), "fix": self.blank(fix)})

    def trouble(self, about, check, trouble):
        self.add(UNKNOWN if trouble.unknown else WRONG, about, check, trouble.text, trouble.fix)

    def exit_status(self):
        found = {line["status"] for line in self.lines}
        return 1 if WRONG in found else 2 if UNKNOWN in found else 0

    def show(self, as_json, quiet):
        lines = [x for x in self.lines if not quiet or x["status"] not in (OK, NOTE)]
        if as_json:
            words = {0: OK, 1: WRONG, 2: UNKNOWN}
            json.dump({"status": words[self.exit_status()], "exit": self.exit_status(),
                       "checks": lines}, sys.stdout, indent=1)
            print()
            return
        for x in lines:
            word = x["status"].upper() if x["status"] in (WRONG, UNKNOWN) else x["status"]
            fix = f"; {x['fix']}" if x["fix"] else ""
            print(f"{word:8}{x['about']}: {x['check']}: {x['text']}{fix}")


class About:
    """The report, for one provider, site or store."""

    def __init__(self, report, name):
        self.report, self.name = report, name

    def ok(self, check, text):
        self.report.add(OK, self.name, check, text)

    def note(self, check, text, fix=""):
        self.report.add(NOTE, self.name, check, text, fix)

    def wrong(self, check, text, fix):
        self.report.add(WRONG, self.name, check, text, fix)

    def unknown(self, check, text, fix):
        self.report.add(UNKNOWN, self.name, check, text, fix)

    def attempt(self, check, function, *args):
        """What the function returns; None after a line that says why there is nothing."""
        try:
            return function(*args)
        except Trouble as e:
            self.report.trouble(self.name, check, e)
        except OSError as e:
            self.unknown(check, e.strerror or type(e).__name__, "try again; if it stays, please report it")
        except Exception as e:  # pylint: disable=broad-except
            self.unknown(check, fault(e), "please report it")
        return None


def fault(error):
    """One of this program: where, without the values at hand."""
    where = error.__traceback__
    while where.tb_next:
        where = where.tb_next
    return f"{type(error).__name__} in {os.path.basename(where.tb_frame.f_code.co_filename)}:{where.tb_lineno}"
