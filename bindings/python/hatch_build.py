"""The wheel's version, from das3.h, and its library, from build/."""

import re
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parents[2]


def number(name: str) -> str:
    header = (ROOT / "include" / "das3.h").read_text()
    return re.findall(rf"#define DAS3_{name} (\d+)", header)[0]


def version() -> str:
    return ".".join(number(f"VERSION_{part}") for part in ("MAJOR", "MINOR", "PATCH"))


class CarryLibrary(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        name = f"libdas3.so.{number('ABI_VERSION')}"
        build_data["force_include"][str(ROOT / "build" / name)] = f"das3/{name}"
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-linux_x86_64"
