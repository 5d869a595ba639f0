"""Fails unless each program text of README.md is a part, line by line, of an example that is run.

    python Tests/EndToEnd/quick_starts.py
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).parents[2]
SUFFIXES = {"c": ".c", "cpp": ".cpp", "python": ".py"}

blocks = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
strays = [
    text
    for language, text in blocks
    if not any(text in path.read_text() for path in ROOT.glob(f"examples/*/*{SUFFIXES[language]}"))
]
for text in strays:
    print(f"in no example:\n{text}", file=sys.stderr)
print(f"{len(blocks) - len(strays)} of {len(blocks)} quick starts are parts of examples")
sys.exit(1 if strays or not blocks else 0)
