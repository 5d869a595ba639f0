"""The wheel's version, from das3.h; its library and das3-run, from build/.

Packages of a distribution, which has the library in a package of its own, say
DAS3_CARRY_LIBRARY=no.
"""

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parents[2]


def number(name: str) -> str:
    header = (ROOT / "include" / "das3.h").read_text()
    return re.findall(rf"#define DAS3_{name} (\d+)", header)[0]


def version() -> str:
    return ".".join(number(f"VERSION_{part}") for part in ("MAJOR", "MINOR", "PATCH"))


def licences(*programs: Path) -> dict[str, str]:
    """What Debian says of the packages that programs need -> where the wheel says it."""
    result = {str(ROOT / "LICENSE"): "das3/licenses/das3.txt"}
    needed = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout
    for path in sorted(set(re.findall(r"=> (/\S+)", needed))):
        owner = ["dpkg", "-S", f"*/{Path(path).resolve().name}"]
        package = subprocess.run(owner, capture_output=True, text=True, check=True).stdout
        package = package.split(":")[0]
        result[f"/usr/share/doc/{package}/copyright"] = f"das3/licenses/{package}.txt"
    return result


class CarryLibrary(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or os.environ.get("DAS3_CARRY_LIBRARY") == "no":
            return
        name = f"libdas3.so.{number('ABI_VERSION')}"
        library, program = ROOT / "build" / name, ROOT / "build" / "das3-run"
        carried = {str(library): f"das3/{name}", str(program): "das3/das3-run"}
        build_data["force_include"] |= carried | licences(library, program)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-linux_{platform.machine()}"
