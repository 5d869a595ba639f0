#!/bin/sh
# Builds the site from docs/, the headers, the Python package and the program: build/docs/site.
# Needs what `make` has built, and Doxygen. It uses the network only until .build/docs-venv is made.
set -eu
cd "$(dirname "$0")/.."

if ! command -v doxygen >/dev/null; then
  echo "docs: no doxygen on the PATH, which reads the headers; apt install doxygen" >&2
  exit 1
fi
for file in libdas3.so das3-run; do
  [ -e "build/$file" ] || { echo "docs: there is no build/$file yet; run make first" >&2; exit 1; }
done

venv=.build/docs-venv
if ! cmp -s docs/requirements.txt "$venv/installed.txt"; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet -r docs/requirements.txt
  cp docs/requirements.txt "$venv/installed.txt"
fi

rm -rf build/docs/site
mkdir -p build/docs/doxygen
doxygen docs/Doxyfile
"$venv/bin/python" -m sphinx -q -E -a -W --keep-going -b html -d build/docs/doctrees docs build/docs/site
echo "build/docs/site/index.html"
