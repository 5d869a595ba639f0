#!/bin/sh
# After `make`: build/das3-VERSION-py3-none-manylinux_2_36_x86_64.whl, with libdas3 and every library
# that it needs beyond glibc.
set -eu
cd "$(dirname "$0")"
root=$PWD/../..
venv=$root/.build/wheel

if ! cmp -s requirements-wheel.txt "$venv/installed.txt"; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet -r requirements-wheel.txt
  # manylinux lets a wheel leave these to the system; a wheel that carries them needs nothing of it.
  sed -i -E '/lib_whitelist/ { s/"lib(gcc_s\.so\.1|stdc\+\+\.so\.6)", //g; s/, "libz\.so\.1"// }' \
    "$venv"/lib/python3*/site-packages/auditwheel/policy/manylinux-policy.json
  cp requirements-wheel.txt "$venv/installed.txt"
fi
PATH=$venv/bin:$PATH

rm -f "$root"/build/das3-*.whl
plain=$(mktemp -d)
trap 'rm -rf "$plain"' EXIT
hatchling build --target wheel --directory "$plain" >&2
auditwheel repair --only-plat --plat manylinux_2_36_x86_64 --wheel-dir "$root/build" "$plain"/*.whl >&2
cd "$root"
python bindings/python/own_symbols.py build/das3-*.whl
ls $PWD/build/das3-*.whl
