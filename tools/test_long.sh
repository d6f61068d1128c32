#!/bin/sh
# The long proofs, about an hour on two cores: the suite under sanitizers, with the second compiler, on older processors;
# the promise of the demo; the real data sets, where they are at hand. The last line counts: "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
passed=0
failed=0
prove() {  # name, command...
  name=$1
  shift
  if "$@" >build/long.log 2>&1; then
    passed=$((passed + 1))
    echo "passed: $name"
  else
    failed=$((failed + 1))
    tail -20 build/long.log
    echo "FAILED: $name"
  fi
}
# The last "test accuracy 98.31 %" (of a folder perhaps "validation accuracy") that a command prints must reach the bound.
accuracy_at_least() {  # bound, command...
  bound=$1
  shift
  "$@" | awk -v bound="$bound" '/^(test|validation) accuracy/ { sub(",", "", $3); best = $3 } END { print "accuracy", best; exit !(best + 0 >= bound) }'
}

mkdir -p build
prove "suite under AddressSanitizer and UndefinedBehaviorSanitizer" make CONFIG=asan test
command -v clang++-14 >/dev/null && prove "suite with clang 14" make CXX=clang++-14 test
prove "suite for x86-64-v2" make ARCH=x86-64-v2 test
prove "suite for x86-64-v3" make ARCH=x86-64-v3 test
prove "each fuzz target a minute" make fuzz-minute
prove "400,000 random calls of operators under the sanitizers" sh -c "make CONFIG=asan build/asan/fuzz/random_ops && ASAN_OPTIONS=allocator_may_return_null=1 build/asan/fuzz/random_ops --seed 2 --calls 400000"
prove "memory that ends at any of 1,000 allocations of each command is exit code 5" tests/fault/failing_allocations.sh build/release
prove "a model is whole whatever happens while it is saved" tests/fault/save_faults.sh build/release/vitrail
prove "no saved update is lost in 200 kills and at any fault of a file" tests/fault/resume_faults.sh build/release/vitrail
for mpi in openmpi mpich; do
  [ -x build/release/$mpi/vitrail ] || { echo "skipped: no program of $mpi (make MPI=$mpi)"; continue; }
  prove "several ranks have the bits of one process, all combinations ($mpi)" tests/cluster/same_bits.sh build/release $mpi
  prove "100 kills and what else ends a rank ($mpi)" tests/cluster/faults.sh build/release $mpi
  prove "four nodes, of which one ends, stops or is cut off ($mpi)" tests/cluster/namespaces.sh build/release $mpi
done
prove "labs: known mistakes, hostile answers, proofs of the proofs" make labs-prove labs-hostile labs-proofs
prove "labs in trees for students: answered, every lab has all points and the demo runs" make labs-answers SOLVED="0 5"
command -v clang++-14 >/dev/null && prove "labs with clang 14" make CXX=clang++-14 labs-prove ARGS=--quick
prove "labs under AddressSanitizer and UndefinedBehaviorSanitizer" make LAB_SANITIZE=yes labs-prove ARGS=--quick
prove "labs for x86-64-v2" make ARCH=x86-64-v2 labs-prove ARGS=--quick
prove "labs while four other programs use the processors" labs/tests/busy.sh make labs-prove ARGS=--quick
prove "demo reaches 97 %" accuracy_at_least 97 make -s demo
for set in fashion-mnist:88 mnist:98; do
  name=${set%:*}
  folder=../shared/data/$name
  [ -d "$folder" ] && prove "$name reaches ${set#*:} %" accuracy_at_least "${set#*:}" build/release/vitrail train --data "$name:$folder" --out "build/$name" --seed 1
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
