#!/bin/sh
# After `make`: build/das3-VERSION-py3-none-manylinux_2_36_ARCHITECTURE.whl (x86_64, or aarch64 on
# arm64), with libdas3, das3-run and every library that they need beyond glibc.
set -eu
cd "$(dirname "$0")"
root=$PWD/../..
venv=$root/.build/wheel

if ! cat requirements-wheel.txt build.sh | cmp -s - "$venv/installed.txt"; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet -r requirements-wheel.txt
  # manylinux lets a wheel leave these to the system; a wheel that carries them needs nothing of it.
  left='gcc_s|stdc\+\+|z|X11|Xext|Xrender|ICE|SM|GL|gobject-2\.0|gthread-2\.0|glib-2\.0|expat'
  sed -i -E "/lib_whitelist/ { s/\"lib($left)\.so\.[0-9]+\", //g; s/, \"lib($left)\.so\.[0-9]+\"//g }" \
    "$venv"/lib/python3*/site-packages/auditwheel/policy/manylinux-policy.json
  cat requirements-wheel.txt build.sh >"$venv/installed.txt"
fi
PATH=$venv/bin:$PATH

rm -f "$root"/build/das3-*.whl
plain=$(mktemp -d)
trap 'rm -rf "$plain"' EXIT
hatchling build --target wheel --directory "$plain" >&2
auditwheel repair --only-plat --plat "manylinux_2_36_$(uname -m)" --wheel-dir "$root/build" \
  "$plain"/*.whl >&2
cd "$root"
python bindings/python/own_symbols.py build/das3-*.whl
ls $PWD/build/das3-*.whl
