"""A header of this project in, the same with comments that Doxygen understands out.

    python3 docs/extensions/doxygen_filter.py include/das3.h

Sections, "/* Models ------ … */", become groups; what stands behind a member describes that member;
prose is handed on as reStructuredText. Line numbers change; nothing depends on them.
"""

import re
import sys

from prose import reST, stars_off

SECTION = re.compile(r"^/\* (?P<title>[A-Z][\w ]*?) -{10,}\n(?P<text>.*?)\*/$", re.M | re.S)
COMMENT = re.compile(r"/\*\*(?!<)(.*?)\*/", re.S)
TRAILING = re.compile(r"(?<=\S) +/\*(?![*<])(.*?)\*/", re.S)


def embedded(comment, opening="/**"):
    text = reST(comment).replace("*/", "* /")
    return f"{opening}\n@verbatim embed:rst\n{text}@endverbatim\n*/"


def filtered(source):
    groups = 0

    def section(match):
        nonlocal groups
        end = "/** @} */\n" if groups else ""
        groups += 1
        name = match["title"].lower().replace(" ", "_")
        opening = f"{end}/** @defgroup {name} {match['title']}"
        return f"{embedded(stars_off(match['text']), opening)}\n/** @{{ */"

    # Macros that only pass on a size have the names of their functions.
    source = re.sub(r"^#define \w+\(.*\\\n.*\n", "", source, flags=re.M)
    source = COMMENT.sub(lambda m: embedded(stars_off(m[1])), source)
    source = TRAILING.sub(lambda m: " " + embedded(re.sub(r"\s+", " ", m[1]), "/**<"), source)
    source = SECTION.sub(section, source)
    return re.sub(r"(?=#ifdef __cplusplus\n}\n)", "/** @} */\n" if groups else "", source)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(filtered(file.read()), end="")
