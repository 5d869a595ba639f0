"""Comments of this project in, reStructuredText out.

Comments are plain sentences. Besides them there are three shapes, which readers of the source see
without markup: columns ("NAME  what it is", continued at the same indent), indented programs, and
names of functions. Doxygen and autodoc would run the first two into one paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

COLUMN = re.compile(r"(?P<indent> *)(?P<name>\S+(?: \S+)*?) {2,}(?P<text>\S.*)")
RULE = re.compile(r"=+( +=+)+$")
# A word of a column is short; in a sentence two blanks are a slip, not a column.
LONGEST_NAME = 32
SINCE = re.compile(r"\s*\bSince \d+\.\d+\s*$")


def reST(comment: str) -> str:
    """The comment without its stars, as reStructuredText."""
    lines = SINCE.sub("", comment.rstrip()).split("\n")
    lines = [lines[0].strip(), *dedented(lines[1:])]
    return "\n".join(blocks(lines)).strip() + "\n"


def stars_off(comment: str) -> str:
    """The lines of a comment without the stars before them."""
    return re.sub(r"^ *\* ?", "", comment, flags=re.M)


def dedented(lines: list[str]) -> list[str]:
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    return [line[min(indents) :].rstrip() for line in lines] if indents else []


def escaped(text: str) -> str:
    """Text whose stars, bars and underscores are no markup."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(
        f"`{part}`" if is_code else re.sub(r"([*|\\]|_(?=\W|$))", r"\\\1", part)
        for is_code, part in ((part[:1] == "`", part) for part in parts)
    )


def blocks(lines: list[str]) -> Iterator[str]:
    """Paragraphs, definition lists and literal blocks, with blank lines between them."""
    index = 0
    while index < len(lines):
        line = lines[index]
        if not line:
            yield ""
            index += 1
        elif RULE.match(line):
            # A table is reStructuredText already, from its first rule to its last.
            end = next(i for i in reversed(range(len(lines))) if RULE.match(lines[i])) + 1
            yield from lines[index:end]
            index = end
        elif (column := COLUMN.fullmatch(line)) and len(column["name"]) <= LONGEST_NAME:
            # Its text goes on in lines that are indented as far as it begins, or at least farther
            # than its name.
            text, indent = [column["text"]], len(column["indent"])
            index += 1
            while index < len(lines) and is_continued(lines[index], indent):
                text.append(lines[index].strip())
                index += 1
            yield from entry(column["name"], " ".join(text))
        elif line.startswith("Returns DAS3_"):
            # What it returns goes on to the end of the paragraph, without an indent.
            end = next((i for i in range(index, len(lines)) if not lines[i]), len(lines))
            returned = " ".join(part.strip() for part in lines[index:end])
            yield from entry("Returns", returned.removeprefix("Returns "))
            index = end
        elif line.startswith("    "):
            yield from ("", "::", "")
            while index < len(lines) and (not lines[index] or lines[index].startswith("    ")):
                yield lines[index]
                index += 1
            yield ""
        else:
            yield escaped(line.strip())
            index += 1


def entry(name: str, text: str) -> Iterator[str]:
    """One of a definition list."""
    yield from ("", escaped(name), f"    {escaped(text)}", "")


def is_continued(line: str, indent: int) -> bool:
    deeper = len(line) - len(line.lstrip()) > indent
    return bool(line) and deeper and not COLUMN.fullmatch(line)
