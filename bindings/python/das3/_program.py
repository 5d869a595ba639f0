"""The program das3-run: in the wheel, beside the library, or on the path."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path


def path() -> str:
    """Where the program is."""
    carried = Path(__file__).with_name("das3-run")
    if carried.exists():
        # Wheels do not say of files in packages that they can be run.
        mode = carried.stat().st_mode
        if not mode & 0o100:
            carried.chmod(mode | (mode & 0o444) >> 2)
        return str(carried)
    beside = Path(os.environ.get("DAS3_LIBRARY", "")).with_name("das3-run")
    if "DAS3_LIBRARY" in os.environ and beside.exists():
        return str(beside)
    found = shutil.which("das3-run")
    # The script of that name calls this.
    if found is None or Path(found).resolve() == Path(sys.argv[0]).resolve():
        raise FileNotFoundError(
            "no program das3-run; the wheel of das3 has it, and `make install` puts it on the path"
        )
    return found


def become(words: Sequence[str]) -> None:
    """Becomes the program."""
    os.execv(path(), ["das3-run", *words])


def main() -> None:
    """The command das3-run of the wheel."""
    try:
        become(sys.argv[1:])
    except OSError as error:
        sys.exit(f"das3-run: {error}")
