#!/bin/sh
# run.sh [RUNS]: that many networks (default: a million) that a fuzzer has damaged are loaded, label
# a frame and are adapted by one step, under AddressSanitizer and UndefinedBehaviorSanitizer.
#
# Begins with corpus.txt. What it finds lies in .build/fuzz/found; run.sh FILE runs one of these
# again, and leaves the network in FILE.onnx. run.sh --keep takes what it has learned into
# corpus.txt, a recipe a line (MutationRecipe.swift).
set -eu
cd "$(dirname "$0")/../.."
scratch=.build/fuzz
fuzz=$scratch/release/das3-fuzz
corpus=$scratch/corpus
# Constants of shape arithmetic may have 256 MiB.
limits="-timeout=5 -rss_limit_mb=3000 -malloc_limit_mb=400 -max_len=97"
export ASAN_OPTIONS=allocator_may_return_null=1:malloc_context_size=1:quarantine_size_mb=16

DAS3_FUZZ=1 swift build -c release --product das3-fuzz --scratch-path $scratch \
  --sanitize=fuzzer --sanitize=address -Xcc -fsanitize=undefined \
  -Xcc -fno-sanitize-recover=undefined -Xcc -Wno-pass-failed -Xlinker -lubsan \
  -Xswiftc -parse-as-library
mkdir -p $corpus $scratch/found
while read -r recipe; do
  printf %s "$recipe" | xxd -r -p >"$corpus/$(printf %s "$recipe" | sha1sum | cut -c1-40)"
done <Tests/Fuzz/corpus.txt

case ${1-} in
--keep)
  rm -rf $scratch/kept
  mkdir $scratch/kept
  # One network for each piece of the code that any reaches, not for each number of times.
  $fuzz $limits -merge=1 -use_counters=0 $scratch/kept $corpus
  for file in "$scratch"/kept/*; do xxd -p -c 200 "$file"; done | sort >Tests/Fuzz/corpus.txt
  wc -l Tests/Fuzz/corpus.txt
  ;;
*[!0-9]*) DAS3_FUZZ_SAVE=$1.onnx $fuzz $limits "$1" ;;
*) $fuzz $limits -runs="${1:-1000000}" -print_final_stats=1 -artifact_prefix=$scratch/found/ $corpus ;;
esac
