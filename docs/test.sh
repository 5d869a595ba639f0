#!/bin/sh
# Builds the site, runs every code block of its pages and of README.md, and follows its links.
# Blocks run with the python3 of the caller, or with that of the site where it has no numpy and
# pillow. Those that need more (torch and onnx, rosbags and mcap, cyclonedds) are left out without.
set -eu
cd "$(dirname "$0")/.."

docs/build.sh
python3 -c 'import numpy, PIL' 2>/dev/null || PATH=$PWD/.build/docs-venv/bin:$PATH
export PATH
.build/docs-venv/bin/python docs/test_blocks.py
.build/docs-venv/bin/python docs/test_links.py
