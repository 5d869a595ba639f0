#!/bin/sh
# Installs on Debian 12 what the build needs, and any packages named as arguments.
# Where everything is there already it changes nothing and needs no network.
set -eu

if ! command -v swift >/dev/null; then
  echo "setup: no swift on the PATH; get Swift 6.3 for Debian 12 at https://swift.org/install" >&2
  exit 1
fi

# On other processors the library has no use for oneDNN.
[ "$(dpkg --print-architecture)" != amd64 ] || set -- libdnnl-dev "$@"

missing=
for package in ca-certificates g++ git make pkg-config python3 \
  libonnx-dev libprotobuf-dev libopenblas-dev \
  libavformat-dev libavcodec-dev libswscale-dev libavutil-dev "$@"; do
  dpkg -s "$package" 2>/dev/null | grep -q '^Status: install ok installed' ||
    missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
$as_root apt-get update
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
