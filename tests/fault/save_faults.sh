#!/bin/sh
# Faults while a training run saves three times: kill -9 at random moments, and ENOSPC, EIO and EINTR at the n-th write, fsync,
# rename, open and close (strace). Into a fresh folder and over a model of another architecture. After each: the folder holds the
# old model or a new one, whole (in a fresh folder: none, or a new one), and exit code 0 means the new one.
#
#   tests/fault/save_faults.sh PROGRAM [short]
#
# The last line counts: "N faults, N failures". Exit status 0 only without failures.
set -u
program=$1
size=${2:-long}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
faults=0
failures=0
# Small models: what is tried is the saving.
train="$program train --force --threads 1 --data glyphs --train-size 16 --test-size 4 --batch-size 8 --epochs 3"
new_model=linear
out=$work/out

$train --seed 1 --model vit_fashion_p7 --out "$work/old" >/dev/null 2>&1 || { echo "the program does not train"; exit 1; }
begin=$(date +%s%N)
$train --seed 1 --model $new_model --out "$work/new" >/dev/null 2>&1 || { echo "the program does not train"; exit 1; }

length=$((($(date +%s%N) - begin) / 1000000 + 1))  # of an undisturbed run, in milliseconds

prepare() {  # fresh | over
  rm -rf "$out"
  if [ "$1" = over ]; then cp -r "$work/old" "$out"; fi
}
verdict() {  # fresh | over, exit code, what was done
  faults=$((faults + 1))
  model=$out/model.safetensors
  if [ ! -e "$model" ]; then
    found=none
  elif cmp -s "$model" "$work/old/model.safetensors"; then
    found=old
  elif "$program" info --json "$out" 2>/dev/null | tr -d ' \n' | grep -q '"kind":"trainedmodel".*"classes":20'; then
    found=new
  else
    found=broken
  fi
  echo "exit $2, $found" >>"$work/outcomes"
  case "$1,$2,$found" in
    *,0,new) cmp -s "$model" "$work/new/model.safetensors" && return ;;  # the last one
    *,0,*|*,*,broken|over,*,none|fresh,*,old) ;;
    *) return ;;
  esac
  failures=$((failures + 1))
  echo "FAILED: $3, $1 folder: exit code $2, the folder holds: $found"
}

for folder in fresh over; do
  rounds=100
  [ "$size" = short ] && rounds=4
  for i in $(seq $rounds); do
    prepare $folder
    $train --seed 1 --model $new_model --out "$out" >/dev/null 2>&1 &
    child=$!
    sleep "$(od -An -N2 -tu2 /dev/urandom | awk -v length_ms=$length '{ printf "%.3f", $1 % length_ms / 1000 }')"
    kill -9 $child 2>/dev/null
    wait $child 2>/dev/null
    verdict $folder $? "kill -9"
  done
done

# strace may be missing, or not allowed.
if ! strace -o /dev/null true 2>/dev/null; then
  echo "skipped: strace cannot run here"
else
  for folder in fresh over; do
    for call in write fsync rename openat close; do
      case $call in write) last=40 ;; openat) last=60 ;; close) last=60 ;; *) last=8 ;; esac
      step=1
      [ "$size" = short ] && case $call in fsync|rename) step=2 ;; *) step=13 ;; esac
      for error in ENOSPC EIO EINTR; do
        for n in $(seq 1 $step $last); do
          prepare $folder
          OMP_NUM_THREADS=1 strace -f -qq -o /dev/null -e trace=$call -e inject=$call:error=$error:when="$n" \
            $train --seed 1 --model $new_model --out "$out" >/dev/null 2>&1
          verdict $folder $? "$error at $call number $n"
        done
      done
    done
  done
fi
sort "$work/outcomes" | uniq -c  # that every kind of outcome was seen
echo "$faults faults, $failures failures"
[ $failures = 0 ]
