#!/bin/sh
# Exports a tree for each number of solved labs: none holds a line that is unique to a blank region, a known mistake, an object or history.
#   labs/tests/exports.sh LABTOOL
set -u
labtool=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git ls-files >/dev/null 2>&1 || { echo "no git here: nothing to export"; exit 0; }
failed=0
for solved in -1 0 1 2 3 4 5 6 7 8 9 10 11; do
  rm -rf "$work/tree"
  "$labtool" export --out "$work/tree" --solved $solved >"$work/log" 2>&1 || { cat "$work/log"; failed=1; continue; }
  found=$(find "$work/tree" -name '*.o' -o -name mistakes.txt -o -name .git -o -name hostile_cases.h)
  [ -z "$found" ] || { echo "SOLVED=$solved: $found"; failed=1; }
  [ -f "$work/tree/AGENTS.md" ] || { echo "SOLVED=$solved: AGENTS.md is missing"; failed=1; }
done
exit $failed
