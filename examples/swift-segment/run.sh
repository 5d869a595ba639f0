#!/bin/sh
# Builds and runs this package as a stranger would: with libdas3 as a versioned dependency. The
# address in Package.swift is a stand-in; a copy of this repository, tagged 0.1.0, answers for it.
set -eu
cd "$(dirname "$0")/../.."

world=$PWD/.build/stranger
rm -rf "$world"
mkdir -p "$world/libdas3"
tar --exclude='./.build*' --exclude=./build --exclude=./out --exclude=./.git -cf - . |
  tar -C "$world/libdas3" -xf -
cp -r examples/swift-segment "$world/client"

git -C "$world/libdas3" init --quiet
git -C "$world/libdas3" add --all
git -C "$world/libdas3" -c user.name=das3 -c user.email=das3@localhost \
  commit --quiet --no-verify -m 'A release'
git -C "$world/libdas3" tag 0.1.0

options="--package-path $world/client --security-path $world/security"
swift package $options config set-mirror \
  --original https://example.org/libdas3.git --mirror "file://$world/libdas3"
swift run $options swift-segment examples/street/street.onnx examples/street/dusk.yuyv
