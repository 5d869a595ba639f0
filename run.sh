#!/bin/sh
# Sets up and builds; then the demo, into ./demo, or frames of yours, into ./out:
# ./run.sh [MODEL INPUT [das3-run options]]
set -eu
root=$(cd "$(dirname "$0")" && pwd)

if [ $# -eq 1 ]; then
  echo "usage: $0 [MODEL INPUT [das3-run options]]" >&2
  exit 2
fi

"$root/setup.sh"
make --no-print-directory -C "$root"
[ $# -gt 0 ] || exec "$root/build/das3-run" demo
model=$1 input=$2
shift 2
exec "$root/build/das3-run" segment --model "$model" --input "$input" --output out --overlay "$@"
