#!/bin/sh
# Faults of a run on four ranks of one machine. After each: nobody is left within 10 s, the exit code is the failing rank's, one message says
# why, the newest checkpoint is valid, and --resume on another number of ranks ends with the bytes of the undisturbed run.
#   tests/cluster/faults.sh BUILD openmpi|mpich [short]
# The last line counts: "N passed, N failed". Exit status 0 only if none failed.
set -u
build=$(cd "$1" && pwd) kind=$2 size=${3:-long}
. "$(dirname "$0")/ranks.sh"
program=$build/$kind/vitrail
work=$(mktemp -d)
out=$work/run
full= prefix= command=train own_out=
end() {
  # shellcheck disable=SC2046
  kill -9 $(ranks_of "$out" | cut -d' ' -f1) 2>/dev/null
  [ -z "$full" ] || umount "$full"
  rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM
export OMP_WAIT_POLICY=passive
passed=0 failed=0

verdict() {  # what, 0 if it holds
  if [ "$2" = 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $1"
    tail -c 600 "$work/log"
  fi
}
# A number below $1.
random() { od -An -N4 -tu4 /dev/urandom | awk -v n="$1" '{ print int($1 % n) }'; }
step_of() {  # of the newest valid checkpoint of the run; 0 if there is none
  best=0
  for file in "$out"/checkpoint*.safetensors; do
    step=$("$build/vitrail" verify "$file" 2>/dev/null | sed -n 's/^step \([0-9]*\).*/\1/p')
    [ "${step:-0}" -gt "$best" ] && best=$step
  done
  echo "$best"
}
messages() { grep -c '^vitrail: ' "$work/log"; }  # that the program has written; runs are --quiet
said() { grep -q -- "$1" "$work/log"; }

common="--train-size 96 --test-size 4 --batch-size 32 --groups 8 --model vit_fashion_p7 --ema 0.9 --crop-padding 2 --seed 3 --threads 1 --quiet"
glyphs="--data glyphs $common"
# 12 updates, each saved; and 150, of which the ends of epochs are not tested.
short_run="$glyphs --epochs 4 --save-steps 1"
long_run="$glyphs --epochs 50 --eval-every 50 --save-steps 1"

# ranks, arguments of train: in the background, as $launcher_process.
start() {
  count=$1
  shift
  # shellcheck disable=SC2046,SC2086
  (LAUNCH_BY=exec && start_ranks "$kind" "$count" $prefix "$program" $command "$@" $([ $command != train ] || [ -n "$own_out" ] || echo "--out $out") >"$work/log" 2>&1 </dev/null) &
  launcher_process=$!
}
# The same in the foreground; the exit code.
run() {
  rm -rf "$out"
  start "$@"
  wait $launcher_process
}
# ranks of the resumed run, what, arguments
ends_the_same() {
  count=$1 what=$2
  shift 2
  start "$count" "$@" --resume auto
  wait $launcher_process
  code=$?
  [ $code = 0 ] && cmp -s "$out/checkpoint.safetensors" "$whole/checkpoint.safetensors" && cmp -s "$out/model.safetensors" "$whole/model.safetensors"
  verdict "$what: resumed on $count ranks it ends with the same bytes (exit code $code)" $?
}

# RANK ITS-WORD WORD-OF-THE-OTHERS COMMAND...: one more word for the command.
cat >"$work/on-one-rank" <<'ONE'
#!/bin/sh
rank=$1 its=$2 others=$3
shift 3
[ "${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-}}" = "$rank" ] && word=$its || word=$others
exec "$@" "$word"
ONE
chmod +x "$work/on-one-rank"

# ---- kill -9 of a random rank at a random moment ----------------------------------------------------------------------------
whole=$work/whole-short
begin=$(date +%s%N)
# shellcheck disable=SC2086
run 4 $short_run && mv "$out" "$whole"
verdict "the undisturbed run" $?
length=$((($(date +%s%N) - begin) / 1000000 + 1))
kills=100
[ "$size" = short ] && kills=3
number=0 slowest=0
while [ $number -lt $kills ]; do
  number=$((number + 1))
  rank=$(random 4)
  rm -rf "$out"
  # shellcheck disable=SC2086
  start 4 $short_run
  sleep "$(random $length | awk '{ print $1 / 1000 }')"
  victim=
  while kill -0 $launcher_process 2>/dev/null && [ -z "$victim" ]; do victim=$(process_of "$out" $rank); done
  before=$(step_of)
  if [ -n "$victim" ]; then kill -9 "$victim" 2>/dev/null; fi
  all_gone "$out" 10 $launcher_process
  verdict "kill $number, of rank $rank after update $before: nobody is left" $?
  [ "$tenths" -gt $slowest ] && slowest=$tenths
  wait $launcher_process
  code=$?
  after=$(step_of)
  [ $code != 0 ] || [ "$after" = 12 ]
  verdict "kill $number, of rank $rank: exit code $code, update $after" $?
  [ "$after" -ge "$before" ]
  verdict "kill $number, of rank $rank: update $before was saved, now the newest is $after" $?
  echo "exit code $code" >>"$work/outcomes"
  # shellcheck disable=SC2086
  case $((number % 3)) in
  0) ends_the_same 1 "kill $number" $short_run ;;
  1) ends_the_same 8 "kill $number" $short_run ;;
  2) ends_the_same 2 "kill $number" $short_run ;;
  esac
done
sort "$work/outcomes" | uniq -c
echo "killed ranks: all were gone after at most $((slowest / 10)).$((slowest % 10)) s"

# ---- a rank that stops ------------------------------------------------------------------------------------------------------
silence=5 stopped="2 0"
[ "$size" = short ] && silence=2 stopped=2
for rank in $stopped; do
  rm -rf "$out"
  # shellcheck disable=SC2086
  start 4 $glyphs --epochs 10000 --eval-every 10000 --save-steps 3 --comm-timeout $silence
  comes "$out/checkpoint.safetensors" 30
  victim=$(process_of "$out" "$rank")
  kill -STOP "$victim"
  all_gone "$out" $((silence + 5)) $launcher_process
  verdict "rank $rank stopped: nobody is left $((silence + 5)) s later" $?
  echo "stopped rank: all were gone after $((tenths / 10)).$((tenths % 10)) s, with --comm-timeout $silence"
  kill -9 "$victim" 2>/dev/null
  wait $launcher_process
  code=$?
  [ $code = 4 ] && said "no sign of life from rank $rank on .* for $silence s, in .* (rank [0-3] on .* waits for rank [0-3] on"
  verdict "rank $rank stopped: exit code 4 (it is $code) and a message that names it" $?
done

# ---- signals ----------------------------------------------------------------------------------------------------------------
whole=$work/whole-long
# shellcheck disable=SC2086
run 4 $long_run && mv "$out" "$whole"
verdict "the undisturbed longer run" $?
# What mpirun itself makes of a signal (docs/cluster.md): Open MPI 4.1 gives its ranks SIGTERM, and ends with 1.
for case in "TERM 2 143 8" "INT 0 130 -" "USR1 3 138 -" "TERM launcher 143 2" "INT launcher 130 -" "USR1 launcher 138 1" "HUP launcher 129 -" "KILL launcher 137 -"; do
  # shellcheck disable=SC2086
  set -- $case
  signal=$1 to=$2 expected=$3 then=$4
  [ $then = - ] && [ "$size" = long ] && then=4
  what="SIG$signal to $to"
  rm -rf "$out"
  # shellcheck disable=SC2086
  start 4 $long_run
  comes "$out/checkpoint.safetensors" 30
  if [ "$to" = launcher ]; then kill -"$signal" $launcher_process; else kill -"$signal" "$(process_of "$out" "$to")"; fi
  all_gone "$out" 10 $launcher_process
  verdict "$what: nobody is left" $?
  wait $launcher_process
  code=$?
  case $kind,$to,$signal in openmpi,launcher,TERM | openmpi,launcher,INT | openmpi,launcher,HUP) expected=1 ;; esac
  [ $code = "$expected" ]
  verdict "$what: exit code $expected (it is $code)" $?
  saved=$(step_of)
  [ "$saved" -ge 1 ] && [ "$saved" -lt 150 ]
  verdict "$what: it was saved before the end (update $saved of 150)" $?
  # shellcheck disable=SC2086
  [ $then = - ] || ends_the_same $then "$what" $long_run
done

# In the middle of a test, which comes before the checkpoint of the third update.
rm -rf "$out"
# shellcheck disable=SC2046
start 4 $(echo "$short_run" | sed 's/--test-size 4 /--test-size 20000 /')
tries=0
while [ "$(step_of)" -lt 2 ] && [ $tries -lt 100 ]; do sleep 0.1 && tries=$((tries + 1)); done
sleep 0.5
kill -USR1 "$(process_of "$out" 3)"
wait $launcher_process
code=$?
[ $code = 138 ] && [ "$(step_of)" = 3 ]
verdict "SIGUSR1 in the middle of a test: exit code 138 (it is $code), and update 3 is saved (it is $(step_of))" $?

# A run whose folder only rank 0's node has, resumed with nothing but --resume: what it recorded counts on all ranks.
rm -rf "$out"
# shellcheck disable=SC2086
start 4 $long_run
comes "$out/checkpoint.safetensors" 30
kill -USR1 "$(process_of "$out" 3)"
wait $launcher_process
prefix="$work/on-one-rank 1 --out=$work/nowhere/run --out=$out" own_out=yes
start 4 --resume
wait $launcher_process
code=$?
prefix= own_out=
[ $code = 0 ] && [ ! -e "$work/nowhere" ] && cmp -s "$out/checkpoint.safetensors" "$whole/checkpoint.safetensors"
verdict "the folder lies on rank 0's node alone: resumed, the run ends with the same bytes (exit code $code)" $?

# ---- what one rank finds, or all --------------------------------------------------------------------------------------------
# what, exit code, a part of the message, ranks, arguments of train. As it is for all errors: one message and the rank's code.
refused() {
  what=$1 expected=$2 text=$3
  shift 3
  run "$@"
  code=$?
  all_gone "$out" 10 $launcher_process
  verdict "$what: nobody is left" $?
  [ $code = "$expected" ] && said "$text" && [ "$(messages)" = 1 ]
  verdict "$what: exit code $expected (it is $code) and one message (there are $(messages)): $text" $?
}
# Pictures of noise, 14 x 14: more than the 2,000 that are looked at when they are opened, so that what is wrong with the others is found by
# the rank that trains on them.
pictures=100
[ "$size" = long ] && pictures=3000
awk -v folder="$work/photos" -v n=$pictures 'BEGIN {
  for (c = 0; c < 2; c++) system("mkdir -p " folder "/train/" c " " folder "/val/" c)
  for (i = 0; i < n; i++) for (c = 0; c < 2; c++) {
    file = folder (i < 8 ? "/val/" : "/train/") c "/" i ".pgm"
    printf "P5\n14 14\n255\n" >file
    for (line = 0; line < 28; line++) printf "%07d", int(rand() * 1e7) >file
    close(file)
  }
}'
# What lies on one node only.
cp -r "$work/photos" "$work/copy"
cut_off() { head -c 100 "$work/photos/$2" >"$work/cut" && mv "$work/cut" "$work/$1/$2"; }
cut_off copy train/1/20.pgm
photos="$common --epochs 2"
mkdir "$work/other"
cp -r "$work/photos" "$work/other/photos"
prefix="$work/on-one-rank 1 --data=$work/other/photos --data=$work/photos"
if [ "$size" = short ]; then  # few enough that the statistics are of all pictures
  cp "$work/photos/train/1/20.pgm" "$work/other/photos/train/1/21.pgm"
  # shellcheck disable=SC2086
  refused "a picture that is another one on rank 1" 2 'rank 1 on .* has another preprocessing than rank 0 on .*' 4 $photos
fi
# The same picture in a file of another size.
{ printf 'P5\n#\n14 14\n255\n' && tail -c 196 "$work/photos/train/1/21.pgm"; } >"$work/other/photos/train/1/21.pgm"
# shellcheck disable=SC2086
refused "a file of another size on rank 1" 2 'rank 1 on .* has another list of training files than rank 0 on .*: [0-9]* bytes, not [0-9]* bytes' 4 $photos
prefix="$work/on-one-rank 2 --data=$work/copy --data=$work/photos"
# shellcheck disable=SC2086
refused "a broken picture that only rank 2 has" 3 "rank 2 on .*copy/train/1/20.pgm: cut off" 4 $photos
prefix=
if [ "$size" = long ]; then  # found in the middle of training, by the rank whose turn it is
  number=20 found=
  while [ $number -lt 120 ] && [ -z "$found" ]; do
    cp "$work/photos/train/0/$number.pgm" "$work/kept"
    cut_off photos "train/0/$number.pgm"
    # shellcheck disable=SC2086
    refused "a broken picture in the middle" 3 "train/0/$number.pgm: cut off" 4 --data "$work/photos" $(echo "$photos" | sed 's/--batch-size 32/--batch-size 256/')
    said '^vitrail: \[rank 2 ' && found=$number
    cp "$work/kept" "$work/photos/train/0/$number.pgm"
    number=$((number + 1))
  done
  [ -n "$found" ]
  verdict "a picture that only rank 2 sees was among them: number $found" $?
fi
cut_off photos train/0/30.pgm
cut_off photos train/1/31.pgm
cut_off photos val/1/2.pgm
# shellcheck disable=SC2086
run 4 --data "$work/photos" $photos --bad-image skip
code=$?
[ $code = 0 ] && [ "$(grep -c 'left out 3 pictures that cannot be read' "$work/log")" = 1 ]
verdict "--bad-image skip: exit code 0 (it is $code), the count once" $?

# shellcheck disable=SC2086
{
  refused "a loss that is not finite" 6 "loss is not finite" 4 $short_run --lr 1e30
  [ "$(step_of)" -ge 1 ] && [ -e "$out/not-finite.json" ]
  verdict "a loss that is not finite: what was saved before is valid" $?
  prefix="$work/on-one-rank 2 --lr=0.01 --lr=0.02"
  refused "another rate on rank 2" 2 'rank 2 on .* has another recipe than rank 0 on .*: "lr": 0.01, not "lr": 0.02' 4 $short_run
  prefix="$work/on-one-rank 1 --data=drawn-digits --data=glyphs"
  refused "other data on rank 1" 2 'rank 1 on .* has another .* than rank 0 on .*digits.*, not .*glyphs' 4 $common
  prefix="$work/on-one-rank 1 --save-steps=3 --save-steps=2"
  refused "other checkpoints on rank 1" 2 'rank 1 on .* has another --save-steps than rank 0 on .*: 3, not 2' 4 $glyphs --epochs 4
  prefix="$work/on-one-rank 1 --init=$work/whole-short --init=$work/other"
  refused "another --init on rank 1" 2 'rank 1 on .* has another --init than rank 0' 4 $short_run
  prefix="$work/on-one-rank 2 --bucket=1 --bucket=4"
  refused "another --bucket on rank 2" 2 'rank 2 on .* has another --bucket than rank 0 on' 4 $short_run
  prefix="$work/on-one-rank 0 --resume=auto --comm-timeout=60"
  refused "resumed on rank 0 alone" 2 'rank 1 on .* has another --resume than rank 0 on .*: , not auto' 4 $short_run
  prefix="$work/on-one-rank 3 --shard-optimizer --comm-timeout=60"
  refused "sharded on rank 3 alone" 2 'rank 3 on .* another setting of --shard-optimizer.*: 1 0 0, not 0 0 0' 4 $short_run
  prefix=
  refused "3 ranks, 8 groups" 2 '3 ranks, 8 groups.*1, 2, 4, 8 ranks.*--groups 3, 6, 12, 24' 3 $short_run
  refused "a flag that is none" 2 '--nonsense' 4 $short_run --nonsense
  command=eval
  refused "a command for one process" 2 'eval is for one process: mpi.* started 4' 4 --data glyphs
  command=train

  # 25 is BLIS's generic set, which no processor is given that BLIS knows.
  cat >"$work/other-kernels" <<'ONE'
#!/bin/sh
[ "${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-}}" != 1 ] || export BLIS_ARCH_TYPE=25
exec "$@"
ONE
  chmod +x "$work/other-kernels"
  prefix=$work/other-kernels
  run 2 $(echo "$short_run" | sed 's/ --quiet//')
  said 'warning: rank 1 on .* computes with other kernels than rank 0 on .*BLIS generic.*the mixture'
  verdict "a rank with other kernels is warned of" $?
  refused "muon with other kernels" 2 'rank 1 on .* computes with other kernels than rank 0 on .* muon multiplies matrices' 2 $short_run --optimizer muon
  prefix=

  echo "a file" >"$work/file"
  out=$work/file/run
  refused "a folder that cannot be made" 4 "cannot be made" 4 $short_run
  out=$work/full/run
  mkdir "$work/full"
  if mount -t tmpfs -o size=5m none "$work/full" 2>/dev/null; then
    full=$work/full
    refused "a full disk" 4 "No space left on device" 4 $short_run
    [ "$(step_of)" -ge 1 ]
    verdict "a full disk: what was saved before is valid" $?
    umount "$full" && full=
  else
    echo "skipped: a full disk needs root"
  fi
  out=$work/run

  # Programs that a launcher starts without knowing them: each of the two processes says so.
  for other in vitrail $([ "$kind" = openmpi ] && echo mpich || echo openmpi)/vitrail; do
    [ -x "$build/$other" ] || continue
    program=$build/$other
    run 2 $short_run
    code=$?
    [ $code = 2 ] && said "started 2 processes.*Hint: " && [ ! -e "$out" ]
    verdict "$other started by the launcher of $kind: exit code 2 (it is $code), nothing is written" $?
  done
}
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
