#!/bin/sh
# How near the estimates of `vitrail train --dry-run` are: prints them beside what the run took. Not a test: times depend on the machine.
#   bench/estimates.sh [train options ...]      default: a few runs on drawn pictures
set -u
cd "$(dirname "$0")/.." || exit 1
vitrail=${VITRAIL_BIN:-build/release/vitrail}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

compare() {
  "$vitrail" train --quiet --dry-run "$@" >"$out/estimate" || exit 1
  start=$(date +%s.%N)
  "$vitrail" train --quiet --force --out "$out/run" "$@" >"$out/result" || exit 1
  end=$(date +%s.%N)
  echo "train $*"
  grep -E '^(memory|time)' "$out/estimate" | sed 's/^/  estimated: /'
  awk -v s="$start" -v e="$end" 'BEGIN { printf "  taken:     %.0f s, the start of the program included\n", e - s }'
}

if [ $# -gt 0 ]; then
  compare "$@"
else
  compare --data glyphs --epochs 2
  compare --data glyphs --epochs 3 --model vit_fashion --train-size 6000
  compare --data scenes --epochs 1 --train-size 4000 --test-size 1000
fi
