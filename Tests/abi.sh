#!/bin/sh
# What programs compiled against das3.h count on, as text: symbols of the library, constants, and
# size and offsets of every struct. Kept in abi.txt; a change is made on purpose by
#
#     Tests/abi.sh build/libdas3.so >Tests/abi.txt
#
# Fields may be added at the end of a struct with struct_size, symbols and constants anywhere;
# anything else breaks such programs, and DAS3_ABI_VERSION rises.
set -eu
header=$(dirname "$0")/../include/das3.h

echo "symbols"
nm -D --defined-only "$1" | awk '{ print "  " $3 }' | LC_ALL=C sort

echo "constants"
sed -n 's/^ *\(DAS3_[A-Z0-9_]* = -\{0,1\}[0-9]*\).*/  \1/p' "$header"

echo "layout: offset | field"
clang -x c -std=c99 -Xclang -fdump-record-layouts-complete -fsyntax-only "$header" |
  awk '/^\*/ { ours = 0 } / 0 \| struct das3_/ { ours = 1 } ours && NF'
