#!/bin/sh
# comm-bench on 2, 3 and 4 ranks: rank 0 alone prints, every pair and every bucket is there; what it refuses.
#   tests/cluster/comm_bench.sh BUILD openmpi|mpich
set -u
build=$1 kind=$2
. "$(dirname "$0")/ranks.sh"
out=$(mktemp)
trap 'rm -f "$out"' EXIT
failed=0
expect() {  # what, whether
  [ "$2" = 0 ] && return
  failed=$((failed + 1))
  echo "FAILED: $1"
  cat "$out"
}
count() { [ "$(grep -c "$1" "$out")" = "$2" ]; }
bench() {  # ranks, options...
  ranks=$1
  shift
  start_ranks "$kind" "$ranks" "$build/$kind/vitrail" comm-bench --repeats 2 --sums 1 "$@" >"$out" 2>&1
}

for ranks in 2 3 4; do
  bench $ranks --model vit_tiny_patch16_224,vit_fashion --buckets 1,4 --json
  expect "$ranks ranks end well" $?
  count '"mpi"' 1
  expect "$ranks ranks: one of them prints" $?
  count '"latency"' $((ranks - 1))
  expect "$ranks ranks: rank 0 with each of the others" $?
  # vit_fashion's gradient is smaller than a bucket: it is added up at once.
  count '"formula"' 4
  expect "$ranks ranks: three sums of one model, one of the other" $?
done
bench 2 --model vit_tiny_patch16_224
expect "a table" $?
grep -q 'vitrail plan --model' "$out"
expect "the table ends with the numbers for plan" $?
bench 2 --model vit_tinny_patch16_224
[ $? = 2 ] && grep -q 'vit_tiny_patch16_224' "$out"
expect "an unknown preset is refused with 2" $?
bench 2 --buckets 0
[ $? = 2 ] && grep -q -- '--buckets must be a whole number' "$out"
expect "a bucket of nothing is refused with 2" $?
start_ranks "$kind" 2 "$build/$kind/vitrail" plan --model vit_fashion >"$out" 2>&1
[ $? = 2 ] && grep -q 'plan is for one process' "$out"
expect "plan is for one process" $?
[ "$failed" = 0 ] && echo "comm-bench: all passed"
[ "$failed" = 0 ]
