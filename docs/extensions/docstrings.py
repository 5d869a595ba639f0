"""Docstrings are written as the comments of das3.h are, and are read by the same rules."""

from prose import reST


def rewrite(app, what, name, thing, options, lines):
    lines[:] = reST("\n".join(lines)).split("\n")


def setup(app):
    app.connect("autodoc-process-docstring", rewrite)
    return {"parallel_read_safe": True}
