#!/bin/sh
# Train, eval, predict and runop while one allocation fails, and while every one from some number on fails: exit code 0 or 5,
# never a crash, and after a refused training the old model is whole. Usage: failing_allocations.sh BUILD [RUNS]
# RUNS: how many places of failure are tried for each command (1000), spread over all allocations of a run.
set -u
build=$(realpath "$1")
runs=${2:-1000}
here=$(dirname "$(realpath "$0")")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
${CC:-cc} -shared -fPIC -O1 "$here/failing_malloc.c" -o "$scratch/failing.so" || exit 1
quick="--data glyphs --train-size 20 --test-size 10 --batch-size 10 --model vit_fashion_p7 --epochs 1 --threads 2"
"$build/vitrail" train --data glyphs --out "$scratch/demo" --train-size 20 --test-size 10 --batch-size 10 --epochs 1 >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
cp "$here/../../tests/data/image/pillow/decoded/jpeg_444.png" "$scratch/demo/picture.png"
cp -r "$scratch/demo" "$scratch/kept"
"$build/fuzz/random_ops" --seed 1 --calls 1 --save "$scratch/call.safetensors" >/dev/null 2>&1
call=$(ls "$here"/../fuzz/corpus/runop/* 2>/dev/null | head -1)
failed=0
tried=0
fault() {  # name, command...
  name=$1
  shift
  for later in 0 1; do
    n=1
    step=1
    i=0
    while [ $i -lt $((runs / 2)) ]; do
      LD_PRELOAD="$scratch/failing.so" FAIL_AT=$n FAIL_LATER=$later timeout 60 "$@" >"$scratch/log" 2>&1
      code=$?
      tried=$((tried + 1))
      case $code in
        0 | 5) ;;
        *) [ "$name $code" = "runop 2" ] || [ "$name $code" = "runop 3" ] || {
             failed=$((failed + 1))
             echo "FAILED: $name, allocation $n, later $later: exit $code: $(tail -c 200 "$scratch/log")"
             [ $failed -lt 5 ] || { echo "five failures are enough"; exit 1; }  # each may be a minute without an end
           } ;;
      esac
      n=$((n + step))
      i=$((i + 1))
      [ $((i % 50)) = 0 ] && step=$((step * 2))
    done
  done
}
fault predict "$build/vitrail" predict --model "$scratch/kept" "$scratch/demo/picture.png"
fault eval "$build/vitrail" eval --data glyphs --limit 10 --model "$scratch/kept"
[ -n "$call" ] && fault runop "$build/runop" relu "$call" "$scratch/result.safetensors"
# shellcheck disable=SC2086
fault train "$build/vitrail" train $quick --force --out "$scratch/demo"
"$build/vitrail" predict --model "$scratch/demo" "$scratch/kept/picture.png" >/dev/null 2>&1 || { failed=$((failed + 1)); echo "FAILED: no whole model is left"; }
echo "$tried failing allocations, $failed failed"
[ "$failed" = 0 ]
