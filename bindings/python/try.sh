#!/bin/sh
# try.sh SCRIPT [ARGUMENT…]: runs a Python script with the wheel that build.sh has made, in a fresh
# environment of python3 and, where pyenv is, of the oldest and the newest Python that it has.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)

others=$(pyenv root 2>/dev/null) && others=$(ls -d "$others"/versions/3.9.*/bin/python3 \
  "$others"/versions/3.1[3-9].*/bin/python3 2>/dev/null) || true
for python in python3 $others; do
  venv=$root/build/check/python
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "$root"/build/das3-*.whl pillow
  result=$(env -i "$venv/bin/python" "$@")
  env -i "$venv/bin/das3-run" --version
  echo "$("$python" --version): $result"
done
# All that is loaded from elsewhere is glibc.
find "$venv"/lib -path "$venv/lib/*/site-packages/das3*" \( -name '*.so*' -o -name das3-run \) -exec env -i ldd {} + |
  awk -v venv="$venv" '$2 == "=>" && index($3, venv) != 1 && !/lib(c|m|pthread|resolv)\.so/ {
    print "needs", $0; bad = 1 } END { exit bad }'
rm -rf "$venv"
