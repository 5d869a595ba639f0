#!/bin/sh
# check.sh [quick]: sets up what the tests need and runs every one of them; stops at the first
# failure. Quick: format and unit tests alone, without the networks that PyTorch makes.
# Needs the network only until everything is installed once.
set -eu
cd "$(dirname "$0")"

case ${1-} in
'' | quick) ;;
*) echo "usage: check.sh [quick]" >&2; exit 2 ;;
esac

# Begins a step, and says how long the one before it took.
began=
step() {
  now=$(date +%s)
  [ -z "$began" ] || echo "($((now - began)) s)"
  began=$now
  printf '\n== %s\n' "$*"
}

# Runs a client of the library as its user would: nothing but libdas3 on the loader path.
alone() { env -i LD_LIBRARY_PATH=build "$@"; }

WARNINGS="-Wall -Wextra -pedantic -Werror"
STRICT="-Xswiftc -warnings-as-errors -Xcc -Werror -Xcc -Wall -Xcc -Wextra"

# Threads that wait sleep, so that a busy machine slows the tests down and no more.
export OMP_WAIT_POLICY=passive

step packages
./setup.sh clang-format cmake debhelper debootstrap dh-python doxygen dpkg-dev groff-base libc6-dbg \
  lintian pybuild-plugin-pyproject python3-hatchling python3-venv valgrind

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

swift_tests() { swift test -c release --no-parallel --scratch-path .build/check $STRICT "$@"; }
if [ "${1-}" = quick ]; then
  step unit tests
  swift_tests
  exit
fi

step build
make --no-print-directory

step what the library exports and needs
Tests/abi.sh build/libdas3.so | diff Tests/abi.txt -
readelf -d build/libdas3.so | awk '/NEEDED.*(swift|Foundation)/ { print; bad = 1 } END { exit bad }'

step the headers alone
printf '#include "das3.h"\n' | gcc -std=c99 $WARNINGS -fsyntax-only -Iinclude -x c -
for compiler in g++ clang++; do
  for standard in c++17 c++20; do
    for header in das3.h das3.hpp; do
      printf '#include "%s"\n' $header |
        $compiler -std=$standard $WARNINGS -fsyntax-only -Iinclude -x c++ -
    done
  done
done

step das3.hpp reaches every function of das3.h
mkdir -p build/check/saved
# The _init functions are macros there, which call those with a size.
sed -n '/^symbols/,/^constants/{s/_init_sized$/_init/;s/^  //p}' Tests/abi.txt | while read -r function; do
  grep -qw "$function" include/das3.hpp || { echo "not $function"; exit 1; }
done
g++ -std=c++17 -O1 $WARNINGS -Iinclude Tests/Clients/wrapper.cpp -Lbuild -ldas3 \
  -o build/check/wrapper
alone build/check/wrapper examples/street/street.onnx build/check/saved

step a client of an older das3.h
mkdir -p build/check/older
python Tests/Clients/older_header.py <include/das3.h >build/check/older/das3.h
for version in include build/check/older; do
  gcc -std=c99 -O1 $WARNINGS -Wno-missing-field-initializers -I$version Tests/Clients/older.c \
    -Lbuild -ldas3 -o build/check/client
  alone build/check/client examples/street/street.onnx | tee build/check/client.txt
  # But for the sizes of its structs it sees what a client of today sees.
  tail -n +2 build/check/client.txt >"build/check/client-$(basename $version).txt"
done
cmp build/check/client-include.txt build/check/client-older.txt

step handles freed in every order
for rounds in 1000 120; do
  # Nothing may grow in 1,000 rounds; in one of each order nothing may be lost.
  [ $rounds = 1000 ] && sanitize= || sanitize=-fsanitize=address
  gcc -std=gnu11 -O1 $sanitize $WARNINGS -Iinclude Tests/Clients/handles.c -Lbuild -ldas3 \
    -o build/check/handles
  alone build/check/handles examples/street/street.onnx $rounds
done

step every failure of the system has a status
rm -rf build/check/faults
mkdir -p build/check/faults/files
gcc -std=gnu11 -O1 $WARNINGS -Iinclude Tests/Clients/faults.c -rdynamic -Lbuild -ldas3 -ldl -lm \
  -o build/check/faults/faults
alone OMP_WAIT_POLICY=passive build/check/faults/faults examples/street/street.onnx \
  build/check/faults/files

step every status that das3.h lists is returned
rm -rf build/check/returns
mkdir -p build/check/returns/files
gcc -std=gnu11 -O1 $WARNINGS -Iinclude Tests/Clients/returns.c -rdynamic -Lbuild -ldas3 \
  -o build/check/returns/returns
alone OMP_WAIT_POLICY=passive build/check/returns/returns include/das3.h \
  examples/street/street.onnx build/check/returns/files

step the quick starts of the README
python Tests/EndToEnd/quick_starts.py

step make install, moved to another place
prefix=$PWD/build/check/prefix clean=$PWD/build/check/clean
rm -rf build/check/staged "$prefix" "$clean"
make --no-print-directory --silent install DESTDIR=build/check/staged PREFIX=/opt/das3 LIBDIR=lib64
mv build/check/staged/opt/das3 "$prefix"
"$prefix/bin/das3-run" --version
groff -man -k -ww -Tutf8 -z "$prefix/share/man/man1/das3-run.1" 2>&1 | awk '1; END { exit NR > 0 }'
bash -n "$prefix/share/bash-completion/completions/das3-run"

# Runs a command as somebody who has that prefix and a few examples: no Swift, no checkout.
mkdir "$clean"
cp -r examples/street examples/*-segment examples/*-adapt* "$clean"
rm -rf "$clean"/*/build
stranger() { env -i -C "$clean" PATH=/usr/bin:/bin OMP_WAIT_POLICY=passive "$@"; }

step examples/c-segment
stranger make -C c-segment run PREFIX="$prefix"
# Their chroma has other resolutions: 5 % of the pixels may have other labels.
cmp -l "$clean/c-segment/build/yuyv.pgm" "$clean/c-segment/build/nv12.pgm" |
  awk 'END { print NR, "of 76800 differ"; exit NR > 3840 }'

step examples/c-segment under memcheck and AddressSanitizer
# The pool's threads are still there at the end, and what they hold: "possibly lost".
head -c $((160 * 120 * 4)) examples/street/dusk.yuyv | stranger valgrind --quiet \
  --leak-check=full --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect \
  --error-exitcode=1 c-segment/build/c-segment street/street.onnx yuyv 160x120 >build/check/memcheck
cmp -n "$(wc -c <build/check/memcheck)" build/check/memcheck "$clean/c-segment/build/yuyv.pgm"
stranger make -B -C c-segment run PREFIX="$prefix" CFLAGS='-g -fsanitize=address,undefined'

step examples/cpp-adapt-while-driving with CMake, pkg-config, and ThreadSanitizer
stranger cmake -S cpp-adapt-while-driving -B cmake -D CMAKE_PREFIX_PATH="$prefix"
stranger cmake --build cmake --target run
stranger make -C cpp-adapt-while-driving run PREFIX="$prefix"
# It sees the example and das3.hpp, and of the library what goes through libc: threads, locks,
# memory. It cannot see the atomics of the pool of threads, so each side works on one; nor the locks
# of Swift, by which the thread of das3::Online talks. Tests under Swift's own sanitizer follow both.
stranger make -B -C cpp-adapt-while-driving build/two-threads PREFIX="$prefix" \
  CXXFLAGS='-g -fsanitize=thread'
stranger TSAN_OPTIONS=halt_on_error=1 cpp-adapt-while-driving/build/two-threads \
  street/street.onnx 160x120 street/dusk.yuyv two.onnx

step the wheel of das3 for Python
wheel=$(bindings/python/build.sh 2>build/check/wheel.txt) || { cat build/check/wheel.txt; exit 1; }
pip install --quiet --force-reinstall --no-deps "$wheel"
ruff() { python -m ruff "$@" --quiet --config bindings/python/pyproject.toml \
  bindings/python docs examples/fleet examples/python-adapt examples/ros2 benchmarks/call.py \
  benchmarks/fleet.py; }
ruff format --check
ruff check
(cd bindings/python && python -m mypy)
env -u LD_LIBRARY_PATH python -m pytest -q -p no:cacheprovider bindings/python/tests

step examples/python-adapt, its quick start in fresh environments
bindings/python/try.sh examples/python-adapt/quick_start.py
python examples/python-adapt/adapt.py --output build/check/python-adapt

step examples/ros2, its core and its node against stand-ins for ROS 2
cmake -S examples/ros2 -B build/check/ros2 -D CMAKE_PREFIX_PATH="$prefix"
cmake --build build/check/ros2
(cd build/check/ros2 && ctest --output-on-failure)

step examples/ros2/dds, the node over Cyclone DDS
(cd examples/ros2/dds && env -u LD_LIBRARY_PATH python -m unittest -v)

step examples/fleet, recordings by Ray, of which a worker is killed
# Ray and Flower want different versions of one package.
for engine in ray flower; do
  python3 -m venv .build/$engine
  .build/$engine/bin/pip install --quiet --force-reinstall --no-deps "$wheel"
  .build/$engine/bin/pip install --quiet -r examples/fleet/requirements-$engine.txt
done
RAY_USAGE_STATS_ENABLED=0 env -u LD_LIBRARY_PATH .build/ray/bin/python Tests/EndToEnd/recordings.py \
  examples/street

step examples/fleet, vehicles by Flower, one of which dies
FLWR_TELEMETRY_ENABLED=0 FLWR_DISABLE_UPDATE_CHECK=1 .build/flower/bin/python \
  Tests/EndToEnd/vehicles.py examples/street

step Debian packages, in a minimal Debian
Tests/debian.sh

step the site, every block of its pages, its links
docs/test.sh

step the examples on real frames, with the installed library
if [ -d ../shared/camvid ]; then
  models=$(cd ../shared/models && pwd)
  mkdir "$clean/frames" "$clean/truth"
  for frame in $(ls ../shared/camvid/val | head -n 4); do
    cp "../shared/camvid/val/$frame" "$clean/frames"
    cp "../shared/camvid/val_labels/$frame" "$clean/truth"
  done
  python Tests/EndToEnd/raw_frames.py nv12 480x360 "$clean"/frames/* |
    stranger c-segment/build/c-segment "$models/espnet_camvid.onnx" nv12 480x360 | wc -c
  python Tests/EndToEnd/raw_frames.py yuyv 240x176 "$clean"/frames/* >"$clean/frames.yuyv"
  for program in adapt-while-driving two-threads; do
    stranger "cmake/$program" "$models/espnet_q8_dynamic.onnx" 240x176 frames.yuyv cpp.onnx
  done
  stranger DAS3_LIBRARY="$prefix/lib64/libdas3.so.0" "$venv/bin/python" python-adapt/adapt.py \
    --model "$models/espnet_camvid.onnx" --frames frames --truth truth --output python
else
  echo "no shared data beside the checkout: skipped"
fi

step examples/swift-segment, against a released version
examples/swift-segment/run.sh

step the demo
python Tests/EndToEnd/demo.py build/das3-run examples/street

step the street frames
build/das3-run segment --model examples/street/street.onnx --input examples/street/frames \
  --output build/check/street --overlay
# Labels the street frames as they are, well enough.
labels_street() {
  build/das3-run evaluate --model "$1" --input examples/street/frames \
    --truth examples/street/truth --json |
    grep -o '"miou": [0-9.]*' | awk '{ print; good = $2 >= 80 } END { exit !good }'
}
labels_street examples/street/street.onnx
python Tests/EndToEnd/segment.py build/das3-run examples/street

step reference vectors
DAS3_ONNX_DATA=$(python -c 'import onnx, os; print(os.path.dirname(onnx.__file__))')/backend/test/data
export DAS3_ONNX_DATA
DAS3_GOLDEN=$PWD/.build/golden
export DAS3_GOLDEN
if [ -d ../shared/vectors ]; then
  python Tests/Golden/unpack.py ../shared .build/golden
  python Tests/Golden/networks.py .build/golden/networks ../shared
  python Tests/Golden/steps.py ../shared .build/golden/single
else
  echo "no shared data beside the checkout: tests that need them are skipped"
  python Tests/Golden/networks.py .build/golden/networks
fi
python Tests/Golden/curve.py .build/golden/curve
python Tests/Golden/rivals.py examples/street .build/golden/rivals

step swift tests
swift_tests

# What rounding could upset, as on a processor with fewer instructions than this one: the library's
# kernels, oneDNN's and OpenBLAS' are capped by a variable each.
capped() (
  export DAS3_ISA="$1" ONEDNN_MAX_CPU_ISA="$2" OPENBLAS_CORETYPE="$3"
  shift 3
  "$@"
)
for caps in "avx2 AVX2 Haswell" "base SSE41 Nehalem"; do
  step "operators, golden steps and a short adaptation within $caps"
  capped $caps swift_tests --skip-build --filter \
    'ForwardTests|GradientTests|AdaptationStepsTests|AlignmentRunTests|AdaptationVectorTests'
  capped $caps build/das3-run adapt --method das3 --model examples/street/street.onnx \
    --input examples/street/frames --steps a=4,b=4,c=4 --output build/check/capped.onnx
  capped $caps labels_street build/check/capped.onnx
done

step the operator table on arm64, under qemu
Tests/Arm64/run.sh $STRICT

step threads side by side under ThreadSanitizer
TSAN_OPTIONS="halt_on_error=1 exitcode=66" swift test -c release --no-parallel \
  --scratch-path .build/tsan --sanitize=thread --filter 'ThreadsTests|SnapshotHandOverTests|AdapterCancelTests|OnlineTests.background'

step saved files in ONNX Runtime
python Tests/EndToEnd/save.py ../shared .build/golden/networks

step what das3-run refuses
python Tests/EndToEnd/usage.py build/das3-run examples/street

step pictures and videos of every kind
python Tests/EndToEnd/media.py build/das3-run examples/street

step stdin, pipes, streams and patterns
python Tests/EndToEnd/live.py build/das3-run examples/street

step truth of every kind
python Tests/EndToEnd/truth.py build/das3-run examples/street

step the protocols of the papers
python Tests/EndToEnd/protocols.py build/das3-run examples/street

step frames worth labelling
python Tests/EndToEnd/pick.py build/das3-run examples/street ../shared

step sweeps over options
python Tests/EndToEnd/sweep.py build/das3-run examples/street

step adapting on the street frames
python Tests/EndToEnd/adapt.py build/das3-run examples/street

step statistics of scenes, against ONNX Runtime
python Tests/EndToEnd/scenes.py build/das3-run examples/street

step the page of an adaptation
python Tests/EndToEnd/report.py build/das3-run examples/street

step labels while it learns
python Tests/EndToEnd/drive.py build/das3-run examples/street

step killed at any moment
python Tests/EndToEnd/kill.py build/das3-run examples/street

step 10,000 frames in 300 MB
python Tests/EndToEnd/bounded.py examples/street/street.onnx

step mIoU on real frames
python Tests/EndToEnd/miou.py build/das3-run ../shared
