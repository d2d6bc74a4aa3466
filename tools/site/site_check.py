# SPDX-License-Identifier: Apache-2.0
"""The built site, held against what it promises: every link and anchor inside leads somewhere, nothing is
loaded from another host, every page has what keeps the browser to that.
"""
import html.parser
import pathlib
import posixpath
import re
import urllib.parse

# Attributes by which a browser loads something without being asked.
LOADS = {"script": ("src",), "img": ("src", "srcset"), "source": ("src", "srcset"), "iframe": ("src",),
         "video": ("src", "poster"), "audio": ("src",), "embed": ("src",), "object": ("data",), "track": ("src",), "input": ("src",),
         "image": ("href", "xlink:href"), "use": ("href", "xlink:href"), "form": ("action",)}
# Relations of <link> that load nothing.
QUIET = {"canonical", "next", "prev", "alternate", "license", "author", "help", "bookmark"}
POLICY = "Content-Security-Policy"


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.ids, self.links, self.loads, self.policy, self.inline = set(), [], [], "", []
        self.inside = ""

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.inside = tag
        if values.get("id"):
            self.ids.add(values["id"])
        if tag == "a" and values.get("name"):
            self.ids.add(values["name"])
        if tag == "a" and values.get("href") is not None:
            self.links.append(values["href"])
        if tag == "meta" and values.get("http-equiv", "").lower() == POLICY.lower():
            self.policy = values.get("content", "")
        if tag == "link" and values.get("href"):
            quiet = set((values.get("rel") or "").split()) <= QUIET
            (self.links if quiet else self.loads).append(values["href"])
        self.loads += [values[name] for name in LOADS.get(tag, ()) if values.get(name)]
        if values.get("style"):
            self.inline.append(values["style"])

    def handle_data(self, data):
        if self.inside == "style":
            self.inline.append(data)

    def handle_endtag(self, tag):
        self.inside = ""

    handle_startendtag = handle_starttag


def read(path):
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


def is_foreign(target):
    return bool(re.match(r"(?!data:)[a-z][a-z0-9+.-]*:|//", target.strip(), re.I))


def addresses(css):
    """What a style sheet loads."""
    return [a or b for a, b in re.findall(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""", css)]


def check(folder):
    """(what is wrong, how many links were followed)"""
    folder = pathlib.Path(folder)
    pages = {str(path.relative_to(folder)): read(path) for path in sorted(folder.rglob("*.html"))}
    wrong, followed = [], 0

    def file_of(name, path):
        """The file that a link of a page names; None: there is none."""
        joined = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
        if joined.startswith(".."):
            return None
        if joined in pages or (folder / joined).is_file():
            return joined
        inside = posixpath.normpath(posixpath.join(joined, "index.html"))
        return inside if inside in pages else None

    for name, page in pages.items():
        if "default-src 'self'" not in page.policy:
            wrong.append(f"{name}: no {POLICY} that keeps the browser to this host")
        for target in page.loads + [a for css in page.inline for a in addresses(css)]:
            if is_foreign(target):
                wrong.append(f"{name}: loads {target}")
        for target in page.links + page.loads:
            if is_foreign(target) or target.startswith(("data:", "javascript:")):
                continue
            split = urllib.parse.urlsplit(target)
            path, anchor = urllib.parse.unquote(split.path), urllib.parse.unquote(split.fragment)
            if name == "404.html":
                path = path.lstrip("/")   # its links begin at the root of the site
            followed += 1
            found = file_of(name, path)
            if found is None:
                wrong.append(f"{name}: leads to {target}, which is not there")
            elif anchor and found in pages and anchor not in pages[found].ids and not anchor.startswith("__"):
                wrong.append(f"{name}: leads to {target}, where there is no such place")
    for path in sorted(folder.rglob("*.css")):
        name = str(path.relative_to(folder))
        for target in addresses(path.read_text(encoding="utf-8")):
            if is_foreign(target):
                wrong.append(f"{name}: loads {target}")
    return wrong, followed
