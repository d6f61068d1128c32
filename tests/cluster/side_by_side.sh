#!/bin/sh
# The short tests of several ranks under each MPI that there is a program for, the MPIs side by side: much of them is waiting.
#   tests/cluster/side_by_side.sh BUILD
set -u
build=$1 here=$(dirname "$0")
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
trap 'kill $(cut -d" " -f1 "$logs/running") 2>/dev/null; exit 130' INT TERM
for mpi in openmpi mpich; do
  [ -x "$build/$mpi/vitrail" ] || continue
  (
    failed=0
    for test in same_bits faults docs; do
      sh "$here/$test.sh" "$build" $mpi short >"$logs/log-$mpi" 2>&1 || { failed=1; cat "$logs/log-$mpi" >>"$logs/$mpi"; }
      echo "$test.sh $mpi: $(tail -1 "$logs/log-$mpi")" >>"$logs/$mpi"
    done
    exit $failed
  ) &
  echo "$! $mpi" >>"$logs/running"
done
status=0
while read -r process mpi; do
  wait "$process" || status=1
  cat "$logs/$mpi"
done <"$logs/running"
exit $status
