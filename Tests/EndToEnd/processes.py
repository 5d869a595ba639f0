"""What tests of several processes share: which processes one has started."""

import pathlib


def descendants(root):
    """The processes below one, itself included, with their command lines."""
    parents, titles = {}, {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:
            continue  # it has ended
        parents[int(entry.name)], titles[int(entry.name)] = int(fields[1]), words.decode().strip()
    found = {root}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {process: titles[process] for process in found if process in titles}
