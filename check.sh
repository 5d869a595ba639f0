#!/bin/sh
# Sets up what the tests need and runs every one of them; stops at the first failure.
# Needs the network only until everything is installed once.
set -eu
cd "$(dirname "$0")"

step() { printf '\n== %s\n' "$*"; }

# Runs a client of the library as its user would: nothing but libdas3 on the loader path.
alone() { env -i LD_LIBRARY_PATH=build "$@"; }

WARNINGS="-Wall -Wextra -pedantic -Werror"
STRICT="-Xswiftc -warnings-as-errors -Xcc -Werror -Xcc -Wall -Xcc -Wextra"

# Threads that wait sleep, so that a busy machine slows the tests down and no more.
export OMP_WAIT_POLICY=passive

step packages
./setup.sh clang-format python3-venv

step python
venv=$PWD/.build/venv
if ! cat Tests/requirements*.txt | cmp -s - "$venv/installed.txt"; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet -r Tests/requirements.txt
  "$venv/bin/pip" install --quiet --no-deps -r Tests/requirements-no-deps.txt
  cat Tests/requirements*.txt >"$venv/installed.txt"
fi
PATH=$venv/bin:$PATH
export PATH

step format
swift format lint --strict --recursive --parallel Package.swift Sources Tests examples
find include Sources Tests examples bindings \( -name '*.[ch]' -o -name '*.[ch]pp' \) -print0 |
  xargs -0 clang-format --dry-run -Werror

step build
make --no-print-directory

step what the library exports and needs
nm -D --defined-only build/libdas3.so | awk '$3 !~ /^das3_/ { print; bad = 1 } END { exit bad }'
readelf -d build/libdas3.so | awk '/NEEDED.*(swift|Foundation)/ { print; bad = 1 } END { exit bad }'

step the header alone
printf '#include "das3.h"\n' | gcc -std=c99 $WARNINGS -fsyntax-only -Iinclude -x c -
printf '#include "das3.h"\n' | g++ -std=c++17 $WARNINGS -fsyntax-only -Iinclude -x c++ -

step the example of the README, as C99 and as C++17
mkdir -p build/check
awk '/^```c$/ { code = 1; next } /^```$/ { code = 0 } code' README.md >build/check/readme.c
frame=examples/c-segment/street.ppm
tail -c $((160 * 120 * 3)) "$frame" >build/check/street.rgb
gcc -std=c99 $WARNINGS -Iinclude build/check/readme.c -Lbuild -ldas3 -o build/check/readme-c
g++ -std=c++17 $WARNINGS -Iinclude -x c++ build/check/readme.c -Lbuild -ldas3 \
  -o build/check/readme-cpp
for client in readme-c readme-cpp; do
  alone "build/check/$client" <build/check/street.rgb >"build/check/$client.labels"
done
cmp build/check/readme-c.labels build/check/readme-cpp.labels

step examples/c-segment
make --no-print-directory -C examples/c-segment
alone build/c-segment examples/street/street.onnx "$frame" build/check/labels.pgm
tail -c $((160 * 120)) build/check/labels.pgm | cmp - build/check/readme-c.labels

step the wheel of das3 for Python
wheel=$(bindings/python/build.sh 2>build/check/wheel.txt) || { cat build/check/wheel.txt; exit 1; }
pip install --quiet --force-reinstall --no-deps "$wheel"
ruff() { python -m ruff "$@" --quiet --config bindings/python/pyproject.toml \
  bindings/python examples/python-adapt benchmarks/call.py; }
ruff format --check
ruff check
(cd bindings/python && python -m mypy)
env -u LD_LIBRARY_PATH python -m pytest -q -p no:cacheprovider bindings/python/tests

step the example of the README in fresh Python environments
awk '/^```python$/ { code = 1; next } /^```$/ { code = 0 } code' README.md >build/check/readme.py
bindings/python/try.sh build/check/readme.py

step examples/python-adapt
python examples/python-adapt/adapt.py --output build/check/python-adapt

step examples/swift-segment, against a released version
examples/swift-segment/run.sh

step the demo
python Tests/demo.py build/das3-run examples/street

step the street frames
build/das3-run segment --model examples/street/street.onnx --input examples/street/frames \
  --output build/check/street --overlay
build/das3-run evaluate --model examples/street/street.onnx --input examples/street/frames \
  --truth examples/street/truth --json |
  grep -o '"miou": [0-9.]*' | awk '{ print; good = $2 >= 80 } END { exit !good }'

step reference vectors
DAS3_ONNX_DATA=$(python -c 'import onnx, os; print(os.path.dirname(onnx.__file__))')/backend/test/data
export DAS3_ONNX_DATA
DAS3_GOLDEN=$PWD/.build/golden
export DAS3_GOLDEN
if [ -d ../shared/vectors ]; then
  python Tests/Golden/unpack.py ../shared .build/golden
  python Tests/Golden/networks.py .build/golden/networks ../shared
else
  echo "no shared data beside the checkout: tests that need them are skipped"
  python Tests/Golden/networks.py .build/golden/networks
fi
python Tests/Golden/curve.py .build/golden/curve

step swift tests
swift test -c release --no-parallel --scratch-path .build/check $STRICT

step threads side by side under ThreadSanitizer
# Without clones: the loader chooses among them before ThreadSanitizer is there.
TSAN_OPTIONS="halt_on_error=1 exitcode=66" swift test -c release --no-parallel \
  --scratch-path .build/tsan --sanitize=thread -Xcc -DD3K_NO_CLONES \
  --filter 'SnapshotHandOverTests|AdapterCancelTests'

step saved files in ONNX Runtime
python Tests/save.py build/libdas3.so ../shared

step adapting on the street frames
python Tests/adapt.py build/das3-run examples/street

step killed at any moment
python Tests/kill.py build/das3-run examples/street

step 10,000 frames in 300 MB
python Tests/bounded.py build/libdas3.so examples/street/street.onnx

step mIoU on real frames
python Tests/miou.py build/das3-run ../shared
