"""Docstrings are written as the comments of das3.h are, and are read by the same rules."""

import re

from prose import reST

# How autodoc shows a name that stands for a longer type, where that is a part of another type.
ALIAS = re.compile(r"TypeAliasForwardRef\('(?:npt\.)?([^']+)'\)")


def rewrite_docstring(app, what, name, thing, options, lines):
    lines[:] = reST("\n".join(lines)).split("\n")


def rewrite_signature(app, what, name, thing, options, signature, returned):
    return tuple(text and ALIAS.sub(r"\1", text) for text in (signature, returned))


def setup(app):
    app.connect("autodoc-process-docstring", rewrite_docstring)
    app.connect("autodoc-process-signature", rewrite_signature)
    return {"parallel_read_safe": True}
