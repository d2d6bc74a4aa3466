# SPDX-License-Identifier: Apache-2.0
"""The documents as Markdown: headings with their anchors, links, tables, pieces below a heading.

Code blocks are never looked into. Anchors are those that forges make of headings.
"""
import dataclasses
import re

FENCE = re.compile(r"^ *(```+|~~~+)")
HEADING = re.compile(r"^(#{1,6}) +(.*?) *#*$")
# [text](target), and ![text](target); the text may hold code and brackets of an image.
LINK = re.compile(r"(!?)\[((?:[^\[\]`]|`[^`]*`|!\[[^\]]*\]\([^)]*\))*)\]\(([^)\s]+)\)")


def lines_of(text):
    """(line, whether it is code) of each."""
    fence = ""
    for line in text.split("\n"):
        match = FENCE.match(line)
        if fence:
            yield line, True
            if match and match[1].startswith(fence) and line.strip() == match[1]:
                fence = ""
        elif match:
            fence = match[1]
            yield line, True
        else:
            yield line, False


def plain(heading):
    """The text of a heading: without backticks, and with the text of its links alone."""
    return re.sub(r"\*\*|`", "", LINK.sub(lambda m: m[2], heading)).strip()


def slug(heading):
    return re.sub(r"[^\w\- ]", "", plain(heading).lower()).replace(" ", "-")


@dataclasses.dataclass
class Piece:
    """A heading and what stands below it, up to the next heading of any level."""
    level: int
    title: str
    anchor: str
    text: str


def pieces(text):
    """The pieces of a document in order. What stands before the first heading has level 0."""
    out, seen = [Piece(0, "", "", "")], {}
    lines = []
    for line, is_code in lines_of(text):
        match = None if is_code else HEADING.match(line)
        if match:
            out[-1].text = "\n".join(lines)
            lines = []
            anchor = slug(match[2])
            count = seen.get(anchor, 0)
            seen[anchor] = count + 1
            out.append(Piece(len(match[1]), match[2], f"{anchor}-{count}" if count else anchor, ""))
        else:
            lines.append(line)
    out[-1].text = "\n".join(lines)
    return [piece for piece in out if piece.level or piece.text.strip()]


ANCHOR = re.compile(r'<a id="([\w-]+)"></a>')


def prose(text, change):
    """`text` with `change` done to what is not in code blocks, in runs of lines."""
    out, run = [], []

    def flush():
        if run:
            out.extend(change("\n".join(run)).split("\n"))
            run.clear()
    for line, is_code in lines_of(text):
        if is_code:
            flush()
            out.append(line)
        else:
            run.append(line)
    flush()
    return "\n".join(out)


def without_comments(text):
    """They are for those who write: why a block is not run, above all."""
    return prose(text, lambda run: re.sub(r"(?<!`)<!--.*?-->\n?", "", run, flags=re.S))


def words(text):
    """How many words somebody reads: a row of a table is text like any other, code is read half."""
    prose_, code_ = 0, 0
    for line, is_code in lines_of(text):
        found = sum(any(char.isalnum() for char in word) for word in line.split())
        if is_code:
            code_ += found
        else:
            prose_ += found
    return prose_ + code_ // 2


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def tables(text):
    """[(names of the columns, [cells of a row])] of all tables."""
    out, rows = [], []
    for line, is_code in [*lines_of(text), ("", False)]:
        if line.startswith("|") and not is_code:
            rows.append(cells(line))
        elif rows:
            out.append((rows[0], rows[2:]))
            rows = []
    return out


def code(text):
    return re.findall(r"`([^`]+)`", text)


def field(text, name):
    match = re.search(rf"\*\*{name}:\*\* *(.*?) *$", text, re.M)
    return match[1] if match else ""


def first_sentence(text):
    """Of the first paragraph that is neither a field, a list, a table nor code."""
    for block in re.split(r"\n\s*\n", text):
        block = block.strip()
        if block and not block.startswith(("**", "```", "|", "*", "#", "1.")):
            flat = " ".join(block.split())
            match = re.match(r"(.+?[.:])(?= [A-Z`*$]|$)", flat)
            return (match[1] if match else flat).rstrip(":.") + "."
    return ""
