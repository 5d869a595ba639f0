"""Imported before das3: the package and the library are those of this checkout."""

import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
os.environ.setdefault("DAS3_LIBRARY", str(CHECKOUT / "build" / "libdas3.so"))
sys.path.insert(0, str(CHECKOUT / "bindings" / "python"))
