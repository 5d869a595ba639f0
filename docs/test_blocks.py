"""Runs every code block of the site's pages and of README.md, in the order of the page.

    python3 docs/test_blocks.py [PAGE ...]

Each page has a folder of its own, build/docs/blocks/PAGE, with links to what the root of the
checkout holds: its commands can be followed word by word, and what they write stays there. There
`das3-run` is on the PATH, and Python and compilers find das3 as if it were installed.

Languages are sh (indented blocks, too), python, c, cpp and json; `text` is what a command prints,
and is not run. A comment before a block, which the page does not show, says what else is done:

    <!-- file: NAME -->       it is written to NAME, for a later block
    <!-- part of: PATH -->    it is an excerpt of a file that other tests run
    <!-- needs: MODULE … -->  it is run where Python has these modules
    <!-- exit: N -->          it ends with this exit code
    <!-- before: COMMAND -->  what the reader has already
    <!-- not run: REASON -->  it is not run here
    <!-- none run: REASON --> nor is any other block of the page

Pages that a script of benchmarks/ has written name the commands that were measured; nothing of them
is run, either.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "docs" / "blocks"
NOTE = re.compile(r"<!--\s*(file|part of|needs|exit|before|not run):\s*(.*?)\s*-->", re.S)
NONE_RUN = re.compile(r"<!--\s*none run:\s*(.*?)\s*-->", re.S)
MEASURED = re.compile(r"^Made by `python3 benchmarks/", re.M)
LANGUAGES = {"sh", "python", "c", "cpp", "json"}
SECONDS = 300


class Block(NamedTuple):
    language: str
    text: str
    line: int
    notes: dict[str, str]


class BlockError(Exception):
    """A block is not what the page says."""


def blocks(page: pathlib.Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    given = {"not run": "part of a measurement"} if MEASURED.search(text) else {}
    if none := NONE_RUN.search(text):
        given = {"not run": none[1]}
    found: list[Block] = []
    notes = dict(given)
    for token in MarkdownIt().parse(text):
        if token.type == "html_block":
            notes.update(NOTE.findall(token.content))
            continue
        line = token.map[0] + 1 if token.map else 0
        if token.type == "code_block":
            found.append(Block("sh", token.content, line, notes))
        elif token.type == "fence" and not token.info.startswith("{"):
            found.append(Block(token.info.strip(), token.content, line, notes))
        notes = dict(given)
    return found


def environment() -> dict[str, str]:
    build, python = ROOT / "build", ROOT / "bindings" / "python"
    return {
        **os.environ,
        "PATH": f"{build}:{os.environ['PATH']}",
        "PYTHONPATH": str(python),
        "DAS3_LIBRARY": str(build / "libdas3.so"),
        "LD_LIBRARY_PATH": str(build),
        "LIBRARY_PATH": str(build),
        "CPATH": str(ROOT / "include"),
        "OMP_WAIT_POLICY": "passive",
    }


def call(command: list[str], folder: pathlib.Path, expected: int = 0) -> None:
    # Into a file, which a process that a block has left behind does not keep open.
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(SECONDS)
        except subprocess.TimeoutExpired as error:
            raise BlockError(f"not done after {SECONDS} s") from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        output.seek(0)
        if code != expected:
            raise BlockError(f"exit code {code}; expected {expected}\n{output.read()}")


def missing_modules(names: str) -> str:
    """Those that the Python of the blocks cannot import."""
    code = (
        "import importlib.util as u, sys; print(*(n for n in sys.argv[1:] if not u.find_spec(n)))"
    )
    command = ["python3", "-c", code, *names.split()]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def outcome(block: Block, folder: pathlib.Path) -> str:
    """What was done with a block: "run", "checked", or why it was left out."""
    notes = block.notes
    if "not run" in notes:
        if not notes["not run"]:
            raise BlockError("it is marked as not run, without a reason")
        return f"not run: {notes['not run']}"
    if block.language == "text":
        return "output"
    if block.language not in LANGUAGES:
        known = ", ".join(sorted(LANGUAGES | {"text"}))
        raise BlockError(f"its language is {block.language!r}; expected one of {known}")
    if "part of" in notes:
        whole = ROOT / notes["part of"]
        if not whole.is_file():
            raise BlockError(f"there is no {notes['part of']}, which it should be a part of")
        if block.text not in whole.read_text(encoding="utf-8"):
            raise BlockError(f"it is no part, line by line, of {notes['part of']}")
        return "checked"
    if block.language == "json":
        try:
            json.loads(block.text)
        except ValueError as error:
            raise BlockError(f"it is not JSON: {error}") from error
    if "file" in notes:
        (folder / notes["file"]).write_text(block.text, encoding="utf-8")
        return "written"
    if block.language == "json":
        return "checked"
    if modules := missing_modules(notes.get("needs", "")):
        return f"left out: python3 has no {modules}"
    if "before" in notes:
        call(["sh", "-euc", notes["before"]], folder)
    expected = int(notes.get("exit", 0))
    if block.language == "sh":
        call(["sh", "-euc", block.text], folder, expected)
    elif block.language == "python":
        call(["python3", "-c", block.text], folder, expected)
    else:
        raise BlockError("a program of C or C++ needs a name (file:) and a command that builds it")
    return "run"


def fresh_folder(page: pathlib.Path) -> pathlib.Path:
    folder = FOLDER / page.relative_to(ROOT).with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for entry in ROOT.iterdir():
        if not entry.name.startswith("."):
            (folder / entry.name).symlink_to(entry)
    return folder


def main() -> int:
    pages = [pathlib.Path(name).resolve() for name in sys.argv[1:]]
    pages = pages or [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for page in pages:
        if not page.is_file() or ROOT not in page.parents:
            print(f"{page} is no page of this checkout", file=sys.stderr)
            return 2
    failures = total = ran = 0
    for page in pages:
        began, told = time.monotonic(), []
        folder = fresh_folder(page)
        for block in blocks(page):
            place = f"{page.relative_to(ROOT)}:{block.line}"
            try:
                result = outcome(block, folder)
            except BlockError as error:
                failures += 1
                print(f"{place}: {error}\n{block.text}", file=sys.stderr)
                break  # later blocks need what this one leaves
            told.append(result)
            if ":" in result:
                print(f"{place}: {result}")
        run = told.count("run")
        total, ran = total + len(told), ran + run
        if told:
            seconds = time.monotonic() - began
            print(f"{page.relative_to(ROOT)}: {len(told)} blocks, {run} run, {seconds:.1f} s")
    print(f"{total} blocks of {len(pages)} pages: {ran} run, {failures} failed")
    return 1 if failures or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
