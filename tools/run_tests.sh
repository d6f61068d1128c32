#!/bin/sh
# Runs every test binary of a build folder, the two structure checks, and the chain of a million nodes under a small stack.
# The last line counts: "N passed, N failed". Exit status 0 only if none failed.
set -u
build=$1
shift
passed=0
failed=0
report() {  # name, status, output file: prints the output of a failure
  if [ "$2" != 0 ]; then
    cat "$3"
    echo "FAILED: $1"
  fi
}
# A busy machine punishes spinning threads (tensor/machine/waiting.h); the bits do not depend on it.
: "${OMP_WAIT_POLICY:=passive}"
export OMP_WAIT_POLICY
# Refusing more memory than there can be is tested: AddressSanitizer shall then say no, not end the program.
: "${ASAN_OPTIONS:=allocator_may_return_null=1}"
export ASAN_OPTIONS
# Independent test data, where it is at hand: the tests that need it say that they skip otherwise.
shared=../shared/data
if [ -z "${VITRAIL_OP_VECTORS:-}" ] && [ -f "$shared/op-vectors.tar" ]; then
  mkdir -p build/data && tar -xf "$shared/op-vectors.tar" -C build/data && export VITRAIL_OP_VECTORS=build/data/op-vectors
fi
if [ -z "${VITRAIL_VIT_FIXTURES:-}" ] && [ -d "$shared/vit-fixtures" ]; then
  export VITRAIL_VIT_FIXTURES="$shared/vit-fixtures"
fi

if [ -z "${VITRAIL_IMAGES:-}" ] && [ -f "$shared/image-conformance.tar" ]; then
  mkdir -p build/data && tar -xf "$shared/image-conformance.tar" -C build/data && export VITRAIL_IMAGES=build/data/images
fi
if [ -z "${VITRAIL_CHECKPOINTS:-}" ] && [ -d ../shared/checkpoints ]; then
  export VITRAIL_CHECKPOINTS=../shared/checkpoints
fi
if [ -z "${VITRAIL_CASES:-}" ] && [ -d ../shared/cases ]; then
  export VITRAIL_CASES=../shared/cases
fi

log=$(mktemp)
fuzzed=
trap 'rm -rf "$log" "$fuzzed"' EXIT

# What does not end is a failure with a name, not a run without an end. The limit is several times what the longest needs.
case "$build" in
*asan*|*tsan*) limit=5400 ;;
*) limit=900 ;;
esac
ends() {  # in the foreground, so that Ctrl-C reaches it
  if [ -n "${VITRAIL_TESTS_END:-}" ]; then  # seconds since 1970 (.ci/run)
    left=$((VITRAIL_TESTS_END - $(date +%s)))
    [ "$left" -gt 0 ] || { echo "not run: no time is left"; return 124; }
    [ "$left" -ge "$limit" ] || limit=$left
  fi
  timeout --foreground --kill-after=10 "$limit" "$@"
}

for test in "$build"/tests/*.bin; do
  start=$(date +%s)
  ends "$test" "$@" >"$log" 2>&1 </dev/null
  status=$?
  [ "$status" = 124 ] && echo "$test was ended after $limit s"
  # "[doctest] test cases:  12 |  12 passed | 0 failed | 0 skipped"
  counts=$(grep -a 'test cases:' "$log" | tail -1 | sed 's/[^0-9|]//g')
  p=$(echo "$counts" | cut -d'|' -f2)
  f=$(echo "$counts" | cut -d'|' -f3)
  # A binary that died, or ran nothing, is a failure even if it counted none.
  [ -z "$p" ] && p=0
  [ -z "$f" ] && f=0
  [ "$status" != 0 ] && [ "$f" = 0 ] && f=1
  [ "$p" = 0 ] && [ "$f" = 0 ] && f=1 && status=1
  passed=$((passed + p))
  failed=$((failed + f))
  report "$test" "$status" "$log"
  grep -aE 'MESSAGE: .*(ran|skip)' "$log" | sed 's/.*MESSAGE: /  /'
  echo "$(basename "$test" .bin): $p passed, $f failed ($(($(date +%s) - start)) s)"
done

check() {  # name, command...
  name=$1
  shift
  start=$(date +%s)
  if ends "$@" >"$log" 2>&1 </dev/null; then
    passed=$((passed + 1))
    verdict=ok
  else
    status=$?
    failed=$((failed + 1))
    cat "$log"
    [ "$status" = 124 ] && echo "was ended after $limit s"
    echo "FAILED: $name"
    verdict=failed
  fi
  took=$(($(date +%s) - start))
  [ "$took" -lt 5 ] || echo "$name: $verdict ($took s)"
}
# For continuous integration each target gets a minute of changed inputs, too.
if [ "${CI:-}" = true ]; then
  fuzzed=$(mktemp -d)
  ends tools/fuzz_each.sh "$build" "$fuzzed" 60
  for corpus in tests/fuzz/corpus/*; do
    name=$(basename "$corpus")
    # shellcheck disable=SC2016  # the inner shell expands
    check "a minute of the fuzz target $name" sh -c 'cd "$1" && cat said && { [ ! -f crash-input ] || base64 crash-input; } && exit "$(cat status)"' sh "$fuzzed/$name"
  done
else
  for corpus in tests/fuzz/corpus/*; do
    check "inputs of the fuzz target $(basename "$corpus")" "$build/fuzz/$(basename "$corpus")" -max_total_time=0 "$corpus"
  done
fi
check "random calls of all operators" "$build/fuzz/random_ops" --calls 5000
check "layers" tools/check_layers.sh
check "make alone builds the program" sh -c "make -pnq 2>/dev/null | grep -qx '.DEFAULT_GOAL := all'"
for example in "$build"/docs/extend/*; do
  case "$example" in *.o | *.d | *'*') ;; *) check "example $(basename "$example") of docs/extend.md" "$example" ;; esac
done
check "documents are up to date" tools/write_docs.sh --check
check "a broken rule of the house is noticed" tools/test_check_layers.sh
check "ops have gradient checks" tools/check_ops.sh
case "$build" in
build/release)
  check "installed: pkg-config, CMake, shared library, uninstall" tools/test_install.sh "$build"
  check "programs that once failed" tests/fault/case_programs.sh "$build" "${CXX:-g++}"
  # The known mistakes of all labs are some minutes of compiling: for continuous integration, and make labs-prove.
  [ "${CI:-}" = true ] && quick= || quick=--quick
  for lab in labs/lab*/lab.json; do  # the variables LAB_* come from make
    number=${lab#labs/lab}
    # shellcheck disable=SC2086
    check "lab ${number%/lab.json} is proven" "$build/labs/labtool" prove --jobs 2 --labs "${number%/lab.json}" $quick
  done
  check "trees for students hold no solutions" labs/tests/exports.sh "$build/labs/labtool"
  # Several ranks: under each MPI in continuous integration, else the bits alone, under the first that is there.
  for mpi in openmpi mpich; do
    [ -x "$build/$mpi/vitrail" ] || continue
    if [ "${CI:-}" = true ]; then
      check "several ranks: the bits of one process, what ends one ends all, docs/cluster.md" tests/cluster/side_by_side.sh "$build"
    else
      check "several ranks have the bits of one process ($mpi)" tests/cluster/same_bits.sh "$build" $mpi short
      check "the commands of docs/cluster.md run ($mpi)" tests/cluster/docs.sh "$build" $mpi
    fi
    break
  done
  if [ "${CI:-}" = true ]; then
    check "hostile answers to labs" "$build/labs/hostile"
    check "the proofs of the labs are proven" labs/tests/proofs.sh
  fi
  ;;
esac
case "$build" in
*asan*|*tsan*) ;;  # the sanitizers' own frames do not fit a small stack
*) check "a million nodes under a stack of 256 KiB" sh -c "ulimit -s 256 && $build/tests/autograd.bin -tc='*million*' | grep -q ' [1-9][0-9]* passed'" ;;
esac

case "$build" in
*asan*|*tsan*) ;;  # strace and the leak check both want to trace the process; a preloaded malloc would hide the sanitizer's
*)
  check "a model is whole whatever happens while it is saved" tests/fault/save_faults.sh "$build/vitrail" short
  check "no saved update is lost whatever happens to a run" tests/fault/resume_faults.sh "$build/vitrail" short
  check "memory that ends is exit code 5" tests/fault/failing_allocations.sh "$build" 40
  ;;
esac

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
