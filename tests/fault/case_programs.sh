#!/bin/sh
# Programs that once failed, kept outside the repository (VITRAIL_CASES): numerics/checkpoint_modes.cpp prints each number with
# and without a checkpoint, and both must be equal; public/so.cpp becomes part of a shared library and answers 600.
# Usage: case_programs.sh BUILD [COMPILER]
set -eu
build=$1
cxx=${2:-g++}
cases=${VITRAIL_CASES:-}
[ -n "$cases" ] && [ -d "$cases" ] || { echo "skipped: there is no folder VITRAIL_CASES"; exit 0; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
libraries=$(${MAKE:-make} --no-print-directory -s print-libs BUILD="$build")
compile() { "$cxx" -std=c++20 -O1 -fopenmp -I. "$@" "$build/libvitrail.a" $libraries; }

if [ -f "$cases/numerics/checkpoint_modes.cpp" ]; then
  compile "$cases/numerics/checkpoint_modes.cpp" -o "$scratch/modes"
  "$scratch/modes" | tee "$scratch/lines"
  # "checkpoint   running mean after one step: 1" beside "plain        running mean after one step: 1"
  sed -n 's/^plain *//p' "$scratch/lines" >"$scratch/plain"
  sed -n 's/^checkpoint *//p' "$scratch/lines" >"$scratch/checkpoint"
  [ -s "$scratch/plain" ]
  cmp "$scratch/plain" "$scratch/checkpoint"
fi
if [ -f "$cases/public/so.cpp" ]; then
  compile -shared -fPIC "$cases/public/so.cpp" -o "$scratch/libanswer.so"
  printf '#include <cstdio>\nextern "C" double answer();\nint main() { std::printf("answer %%.0f\\n", answer()); }\n' >"$scratch/calls.cpp"
  "$cxx" "$scratch/calls.cpp" -o "$scratch/calls" -L"$scratch" -lanswer -Wl,-rpath,"$scratch"
  "$scratch/calls" | grep -x 'answer 600'
fi
