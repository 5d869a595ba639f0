#!/bin/sh
# Builds the site, runs every code block of its pages and of README.md, and follows its links.
# Blocks run with the python3 of the caller, which needs numpy and pillow; those that export a
# network are left out where it has no torch and onnx.
set -eu
cd "$(dirname "$0")/.."

docs/build.sh
.build/docs-venv/bin/python docs/test_blocks.py
.build/docs-venv/bin/python docs/test_links.py
