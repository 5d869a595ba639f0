#!/bin/sh
# run.sh [OPTION OF SWIFT BUILD]...: the cases of the operator table, forward and backward, on
# the kernels as they are compiled for arm64, under qemu-aarch64.
#
# das3-tape runs every case here and writes down which kernels it calls, and what the reference in
# double expects; replay.cpp makes these calls again there. What is fetched, is fetched once, as
# packages of Debian, and unpacked below .build/arm64: nothing is installed, and root is not needed.
# The options are those with which .build/check was built, else all of it is built again.
set -eu
cd "$(dirname "$0")/../.."
out=$PWD/.build/arm64
root=$out/root
calls=Tests/Arm64/Tape/calls.hpp
mkdir -p "$out"

packages="libc6-dev libstdc++-12-dev libopenblas-dev libonnx-dev libprotobuf-dev"
# Headers alone: what they depend on is 300 MB.
headers="libavformat-dev libavcodec-dev libswscale-dev libavutil-dev"

# apt for a machine of an architecture on which nothing is installed.
foreign_apt() {
  architecture=$1
  shift
  mkdir -p "$out/apt/$architecture/lists/partial" "$out/apt/$architecture/archives/partial"
  : >"$out/apt/$architecture/status"
  cat >"$out/apt/$architecture.conf" <<EOF
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Sandbox::User "";
Dir::State "$out/apt/$architecture";
Dir::State::status "$out/apt/$architecture/status";
Dir::Cache "$out/apt/$architecture";
EOF
  (cd "$out/apt/$architecture/archives" && APT_CONFIG=$out/apt/$architecture.conf apt-get -qq "$@")
}

fetch() {
  rm -rf "$root" "$out/apt"
  foreign_apt arm64 update
  foreign_apt arm64 install -y --download-only --no-install-recommends $packages
  foreign_apt arm64 download $headers
  own=$(dpkg --print-architecture)
  foreign_apt "$own" update
  foreign_apt "$own" download qemu-user-static
  for file in "$out"/apt/*/archives/*.deb; do dpkg-deb -x "$file" "$root"; done
  rm -rf "$out/apt"
  echo "$packages $headers" >"$root/packages.txt"
}

if ! echo "$packages $headers" | cmp -s - "$root/packages.txt"; then
  echo "arm64: fetching the packages of Debian for arm64, 110 MB"
  fetch >"$out/fetch.txt" 2>&1 || { cat "$out/fetch.txt"; exit 1; }
fi

libraries=$root/usr/lib/aarch64-linux-gnu
warnings="-Wall -Wextra -Werror"
for_arm64="--target=aarch64-linux-gnu --sysroot=$root"
blas=$libraries/openblas-pthread

# What the package compiles beside the kernels.
echo "arm64: compiling"
include=$root/usr/include/aarch64-linux-gnu
for target in CDigest CReserve CStreet; do
  clang $for_arm64 $warnings -fsyntax-only -ISources/$target/include Sources/$target/*.c
done
clang++ $for_arm64 $warnings -std=c++17 -fsyntax-only -ISources/COnnx/include Sources/COnnx/*.cpp
clang $for_arm64 $warnings -fsyntax-only -I"$include" -include Sources/CFFmpeg/CFFmpeg.h -x c /dev/null

# Compiles the kernels and the program that replays a tape.
build() {
  folder=$out/$1
  shift
  rm -rf "$folder"
  mkdir -p "$folder"
  for source in Sources/CKernels/*/*.c; do
    clang $for_arm64 "$@" $warnings -O2 -ISources/CKernels -ISources/CKernels/include \
      -I"$include/openblas-pthread" -c "$source" -o "$folder/$(basename "$source" .c).o"
  done
  clang++ $for_arm64 "$@" $warnings -std=c++17 -O1 -ISources/CKernels/include \
    Tests/Arm64/replay.cpp "$folder"/*.o -fuse-ld=lld -L"$blas" -lopenblas \
    -o "$folder/replay"
}
build plain
# Without a library that reports it, undefined behaviour is a trap.
build undefined -fsanitize=undefined -fsanitize-trap=undefined -Wno-pass-failed

recorded=$(sed -n 's/^  CALL(\(d3k_[a-z_]*\)).*/\1/p' $calls)
wraps=$(printf ' -Xlinker --wrap=%s' mmap munmap $recorded)
tape() {
  DAS3_TAPE=1 swift build -c release --product das3-tape --scratch-path .build/check "$@" $wraps
}
echo "arm64: recording"
tape "$@" >"$out/swift.txt" 2>&1 || { cat "$out/swift.txt"; exit 1; }
.build/check/release/das3-tape "$out/tape"

# That the tape and replay.cpp are right shows on the processor where it was recorded. The folder of
# the build may have kernels, too, whose source is gone.
objects=$(cd Sources/CKernels && printf '.build/check/release/CKernels.build/%s.o ' */*.c)
clang++ $warnings -std=c++17 -O1 -ISources/CKernels/include Tests/Arm64/replay.cpp $objects \
  -ldnnl -lopenblas -lgomp -o "$out/replay"
"$out/replay" "$out/tape"

replay() {
  "$root/usr/bin/qemu-aarch64-static" -L "$root" -E "LD_LIBRARY_PATH=$blas:$libraries" \
    "$out/$1/replay" "$out/tape"
}
echo "arm64: under qemu-aarch64"
replay plain
DAS3_ISA=base replay plain
echo "arm64: the same where undefined behaviour is a trap"
replay undefined

declared=$(cat Sources/CKernels/include/*.h | grep -o '\bd3k_[a-z0-9_]*(' | sort -u | tr -d '(')
echo "arm64: functions of CKernels that are not on the tape:" \
  $(echo "$declared" | grep -vxF "$recorded" | tr '\n' ' ')
