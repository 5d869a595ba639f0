"""own_symbols.py WHEEL: the C++ libraries of a wheel keep their symbols to themselves.

GCC calls the static members of templates unique: of all libraries in a process that define one, the
first serves the others, though they be of another package or another release of libstdc++. It then
crashes in whoever was imported last. Called weak, as by -fno-gnu-unique, they stay in their library
and what links to it.
"""

import sys
from pathlib import Path

from auditwheel.wheeltools import InWheelCtx
from elftools.elf.elffile import ELFFile

STB_WEAK, STB_GNU_UNIQUE = 2, 10
INFO_OFFSET = 4  # of st_info in Elf64_Sym: binding << 4 | type


def weaken(path: Path) -> None:
    with path.open("r+b") as file:
        table = ELFFile(file).get_section_by_name(".dynsym")
        for index in range(table.num_symbols()):
            offset = table["sh_offset"] + index * table["sh_entsize"] + INFO_OFFSET
            file.seek(offset)
            binding, kind = divmod(file.read(1)[0], 16)
            if binding == STB_GNU_UNIQUE:
                file.seek(offset)
                file.write(bytes([STB_WEAK << 4 | kind]))


# On leaving it, RECORD is brought up to date.
with InWheelCtx(Path(sys.argv[1]), Path(sys.argv[1])) as wheel:
    for library in Path(wheel.name).glob("*/*.so*"):
        weaken(library)
