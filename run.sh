#!/bin/sh
# Sets up, builds, and segments frames into ./out: ./run.sh [MODEL INPUT [das3-run options]]
# Without arguments: the street network on the street frames of examples/street.
set -eu
root=$(cd "$(dirname "$0")" && pwd)

if [ $# -eq 0 ]; then
  set -- "$root/examples/street/street.onnx" "$root/examples/street/frames"
elif [ $# -eq 1 ]; then
  echo "usage: $0 [MODEL INPUT [das3-run options]]" >&2
  exit 2
fi

"$root/setup.sh"
make --no-print-directory -C "$root"
model=$1 input=$2
shift 2
exec "$root/build/das3-run" segment --model "$model" --input "$input" --output out --overlay "$@"
