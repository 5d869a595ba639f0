"""Two directives that ask the sources when the site is built, so that nothing is said twice.

{das3-run} COMMAND   what `das3-run help COMMAND` prints
{das3-header} FILE   the comment at the top of a header
"""

import os
import pathlib
import subprocess

from docutils import nodes
from prose import reST, stars_off
from sphinx.util.docutils import SphinxDirective

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = os.environ.get("DAS3_RUN", str(ROOT / "build" / "das3-run"))


class Program(SphinxDirective):
    """The help of one command; of the program itself without an argument."""

    optional_arguments = 1

    def run(self):
        told = subprocess.run(
            [PROGRAM, "help", *self.arguments],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "COLUMNS": "80"},
        ).stdout
        return [nodes.literal_block(told, told, language="none")]


class Header(SphinxDirective):
    """What a header says before its first line of code."""

    required_arguments = 1

    def run(self):
        path = ROOT / "include" / self.arguments[0]
        self.env.note_dependency(path)
        opening = path.read_text(encoding="utf-8").partition("*/")[0]
        return self.parse_text_to_nodes(reST(stars_off(opening.removeprefix("/*"))))


def setup(app):
    app.add_directive("das3-run", Program)
    app.add_directive("das3-header", Header)
    return {"parallel_read_safe": True}
