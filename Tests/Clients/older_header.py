"""das3.h in, das3.h of an older version out: each struct that may grow lacks what came last.

    python Tests/Clients/older_header.py <include/das3.h >older/das3.h

The last declaration of fields goes, as if a later version had added it.
"""

import re
import sys

STRUCT = re.compile(r"(typedef struct das3_\w+ \{\n  uint32_t struct_size;.*?)(\} das3_\w+;)", re.DOTALL)


def shortened(match):
    body, end = match.groups()
    # A declaration ends in the last semicolon that is not in a comment.
    code = re.sub(r"/\*.*?\*/", lambda comment: " " * len(comment.group()), body, flags=re.DOTALL)
    cut = code.rstrip().rstrip(";").rindex(";") + 1
    return f"{body[:cut]}\n{end}"


text, count = STRUCT.subn(shortened, sys.stdin.read())
if count < 10:
    sys.exit(f"{count} structs with struct_size; expected at least 10")
print(text, end="")
