"""The command das3-run: the program that the wheel carries."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Becomes the program."""
    program = Path(__file__).with_name("das3-run")
    if not program.exists():
        sys.exit("das3-run is only in the wheel of das3; `make install` puts it elsewhere")
    # Wheels do not say of files in packages that they can be run.
    mode = program.stat().st_mode
    if not mode & 0o100:
        program.chmod(mode | (mode & 0o444) >> 2)
    os.execv(program, ["das3-run", *sys.argv[1:]])
