#!/bin/sh
# After `make`: build/das3-VERSION-py3-none-manylinux_2_36_x86_64.whl, with libdas3 and what it needs.
set -eu
cd "$(dirname "$0")"
root=$PWD/../..
venv=$root/.build/wheel

if ! cmp -s requirements-wheel.txt "$venv/installed.txt"; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet -r requirements-wheel.txt
  cp requirements-wheel.txt "$venv/installed.txt"
fi
PATH=$venv/bin:$PATH

rm -f "$root"/build/das3-*.whl
plain=$(mktemp -d)
trap 'rm -rf "$plain"' EXIT
hatchling build --target wheel --directory "$plain" >&2
auditwheel repair --only-plat --plat manylinux_2_36_x86_64 --wheel-dir "$root/build" "$plain"/*.whl >&2
cd "$root" && ls $PWD/build/das3-*.whl
