#!/bin/sh
# Every fuzz target of a build folder for some seconds, as many at once as there are processors: FOLDER/NAME/said has what it
# printed, FOLDER/NAME/status its exit status, FOLDER/NAME/crash-input the input of a crash.
#
#   tools/fuzz_each.sh BUILD FOLDER SECONDS
set -u
export build="$1" folder="$2" seconds="$3"
processors=$(nproc)
[ "$processors" -gt 1 ] || processors=2
for corpus in tests/fuzz/corpus/*; do basename "$corpus"; done |
  # shellcheck disable=SC2016  # the inner shell expands
  xargs -P "$processors" -I NAME sh -c '
    top=$PWD && mkdir "$folder/NAME" && cd "$folder/NAME" &&
      timeout --kill-after=10 $((seconds + 240)) "$top/$build/fuzz/NAME" -max_total_time="$seconds" "$top/tests/fuzz/corpus/NAME" >said 2>&1
    status=$?
    [ "$status" != 124 ] || echo "did not end within $((seconds + 240)) s" >>said
    [ "$status" = 0 ]
    echo $? >status'
