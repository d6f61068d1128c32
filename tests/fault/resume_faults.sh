#!/bin/sh
# A training run that saves after every update, killed (kill -9) at random moments and at the n-th write, fsync, rename, open and
# close, and refused there by the disk (ENOSPC, EIO, strace). After each fault:
#   - exit code 0 only from a run that ended;
#   - what was saved is there: the folder has a valid checkpoint of at least the step that it had before the fault;
#   - `train --resume auto` goes on, and the files at the end are those of the undisturbed run, to the byte.
#
#   tests/fault/resume_faults.sh PROGRAM [short]
#
# The last line counts: "N faults, N failures". Exit status 0 only without failures.
set -u
program=$1
size=${2:-long}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export OMP_WAIT_POLICY=passive
faults=0
failures=0
train="$program train --quiet --threads 1 --data glyphs --train-size 18 --test-size 4 --batch-size 8 --epochs 3 --groups 2 --ema 0.9 --crop-padding 2 --save-steps 1 --model vit_fashion_p7"
whole=$work/whole
begin=$(date +%s%N)
$train --out "$whole" >/dev/null 2>&1 || { echo "the program does not train"; exit 1; }
length=$((($(date +%s%N) - begin) / 1000000 + 1))  # of an undisturbed run, in milliseconds

fail() {
  failures=$((failures + 1))
  echo "FAILED: $1"
}
# The step of the newest valid checkpoint of a folder; 0 if it has none.
step_of() {
  best=0
  for file in "$1"/checkpoint*.safetensors; do
    step=$("$program" verify "$file" 2>/dev/null | sed -n 's/^step \([0-9]*\).*/\1/p')
    [ "${step:-0}" -gt "$best" ] && best=$step
  done
  echo "$best"
}
same_end() {
  for file in model best checkpoint checkpoint-previous; do
    cmp -s "$whole/$file.safetensors" "$1/$file.safetensors" || return 1
  done
}
# The verdict on a folder after a fault: exit code, step before the fault, what was done.
verdict() {
  faults=$((faults + 1))
  after=$(step_of "$out")
  [ "$after" -ge "$2" ] || fail "$3: update $2 was saved, now the newest valid checkpoint is of $after"
  [ "$1" != 0 ] || [ "$after" = 9 ] || fail "$3: exit code 0 from a run that did not end (update $after)"
  echo "exit $1, update $after" >>"$work/outcomes"
}
finish() {  # what was done
  $train --resume auto --out "$out" >"$work/log" 2>&1 || fail "$1: the resumed run ends with $?: $(tail -c 300 "$work/log")"
  same_end "$out" || fail "$1: the resumed run ends with other bytes"
  left=$(find "$out" -name '*.tmp-*' | wc -l)
  [ "$left" = 0 ] || fail "$1: $left temporary files are left"
}

# Killed at random moments, again and again, until it is through; then from the start.
out=$work/killed
kills=200
[ "$size" = short ] && kills=8
i=0
while [ $i -lt $kills ]; do
  before=$(step_of "$out")
  $train --resume auto --out "$out" >/dev/null 2>&1 &
  child=$!
  sleep "$(od -An -N2 -tu2 /dev/urandom | awk -v length_ms=$length '{ printf "%.3f", $1 % length_ms / 1000 }')"
  kill -9 $child 2>/dev/null
  wait $child 2>/dev/null
  verdict $? "$before" "kill -9 number $i"
  i=$((i + 1))
  if [ "$(step_of "$out")" = 9 ] || [ $i = $kills ]; then
    finish "kill -9 number $i"
    rm -rf "$out"
  fi
done

# strace may be missing, or not allowed.
if ! strace -o /dev/null true 2>/dev/null; then
  echo "skipped: strace cannot run here"
else
  # A run that has saved four updates; each fault starts from a copy of it.
  half=$work/half
  $train --out "$half" >/dev/null 2>&1 &
  child=$!
  while kill -0 $child 2>/dev/null && [ "$(step_of "$half")" -lt 3 ]; do sleep 0.01; done
  kill -9 $child 2>/dev/null
  wait $child 2>/dev/null
  out=$work/fault
  # The dynamic loader closes each library before there is a program: faults begin after that.
  strace -f -qq -o "$work/calls" -e trace=openat,close "$program" --version >/dev/null
  loader=$(awk '/openat.*\.so/ { so = 1 } /close\(/ { n++; if (so) last = n; so = 0 } END { print last + 0 }' "$work/calls")
  for call in rename fsync write openat close; do
    case $call in write) last=60 ;; openat) last=90 ;; close) last=90 ;; *) last=40 ;; esac
    first=1
    [ $call = close ] && first=$((loader + 1)) && last=$((last + loader))
    step=1
    [ "$size" = short ] && case $call in rename) step=7 ;; *) step=29 ;; esac
    for fault in signal=KILL error=ENOSPC error=EIO; do
      n=$first
      while [ $n -le $last ]; do
        rm -rf "$out"
        cp -r "$half" "$out"
        before=$(step_of "$out")
        strace -f -qq -o /dev/null -e trace=$call -e inject=$call:$fault:when=$n $train --resume auto --out "$out" >"$work/log" 2>&1
        code=$?
        verdict $code "$before" "$fault at $call number $n"
        case $code in 0 | 3 | 4 | 137) ;; *) fail "$fault at $call number $n: exit code $code: $(tail -c 200 "$work/log")" ;; esac
        finish "$fault at $call number $n"
        n=$((n + step))
      done
    done
  done
fi
sort "$work/outcomes" | uniq -c  # that every kind of outcome was seen
echo "$faults faults, $failures failures"
[ $failures = 0 ]
