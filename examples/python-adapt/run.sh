#!/bin/sh
# Installs the wheel of das3 and what adapt.py draws with, and runs it; after `make` in the root.
set -eu
cd "$(dirname "$0")"
venv=../../.build/python-adapt
wheel=$(../../bindings/python/build.sh)
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check matplotlib pillow numpy
"$venv/bin/pip" install --quiet --disable-pip-version-check --force-reinstall --no-deps "$wheel"
"$venv/bin/python" adapt.py "$@"
