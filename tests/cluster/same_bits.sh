#!/bin/sh
# One training on 1, 2, 4 and 8 ranks (8 groups) and on 1, 3 and 6 (24 groups): the files of the run are the same, to the byte.
#   tests/cluster/same_bits.sh BUILD openmpi|mpich [short]
# A ViT, a CCT and a CNN with batch norm; dropout, augmentation, mixing, averages, clipping, a short last batch, an epoch border. `short`:
# each model once with each kind of option, instead of all combinations.
set -u
build=$1 kind=$2 length=${3:-}
. "$(dirname "$0")/ranks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# 204 images in batches of 96: two whole ones and one of 12; two epochs.
recipe="--data glyphs --train-size 204 --test-size 100 --epochs 2 --batch-size 96 --seed 5 --crop-padding 2 --mirror true --mixup 0.4 --cutmix 1
  --label-smoothing 0.1 --ema 0.9 --clip-norm 0.5 --lr 0.003 --quiet"
sum() { sha256sum "$work/$1/checkpoint.safetensors" "$work/$1/model.safetensors" 2>/dev/null | cut -c1-64 | tr '\n' ' '; }

# name, ranks, options...
train() {
  name=$1 ranks=$2
  shift 2
  # shellcheck disable=SC2086
  start_ranks "$kind" "$ranks" "$build/$kind/vitrail" train $recipe "$@" --out "$work/$name" >"$work/log" 2>&1 || { cat "$work/log"; return 1; }
}
same() {  # as, ranks, options...
  as=$1
  shift
  rm -rf "$work/other"
  if train other "$@" && [ "$(sum other)" = "$(sum "$as")" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: other bits than $as: $*"
  fi
}

# Stopped by a signal to one rank after its first updates, then resumed on another number of ranks.
stopped_and_resumed() {  # as, ranks, ranks afterwards, options...
  as=$1 ranks_before=$2 ranks_after=$3
  shift 3
  rm -rf "$work/other"
  train other "$ranks_before" "$@" --save-steps 1 >/dev/null &
  runner=$!
  comes "$work/other/checkpoint.safetensors" 60 && kill -TERM "$(process_of "$work/other" 1)"
  if wait $runner; then
    echo "it ended before it was stopped: $*"
  elif train other "$ranks_after" "$@" --resume && [ "$(sum other)" = "$(sum "$as")" ]; then
    passed=$((passed + 1))
    return
  fi
  failed=$((failed + 1))
  echo "FAILED: other bits than $as after a stop of $ranks_before ranks and the rest on $ranks_after: $*"
}

for model in vit cct cnn; do
  case $model in
  vit*) options="--model vit_fashion_p7 --drop-path 0.2" ;;
  cct*) options="--model cct_2_3x2_d64 --drop-path 0.2" ;;
  *) options="--model cnn" ;;
  esac
  # shellcheck disable=SC2086
  for groups in 8 24; do
    [ "$groups" = 8 ] && all="2 4 8" || all="3 6"
    one="$model-$groups"
    rm -rf "${work:?}/$one"
    # The plain program.
    "$build/vitrail" train $recipe $options --groups $groups --out "$work/$one" >"$work/log" 2>&1 || { cat "$work/log"; failed=$((failed + 1)); }
    if [ "$groups" = 8 ]; then
      stopped_and_resumed "$one" 4 2 $options --groups $groups --threads 1
    elif [ "$length" != short ]; then
      stopped_and_resumed "$one" 3 6 $options --groups $groups --threads 1 --shard-optimizer
    fi
    turn=0
    for ranks in $all; do
      if [ "$length" = short ]; then
        turn=$((turn + 1))
        case $turn in
        1) same "$one" "$ranks" $options --groups $groups --threads 2 ;;
        2) same "$one" "$ranks" $options --groups $groups --threads 1 --shard-optimizer ;;
        3) same "$one" "$ranks" $options --groups $groups --threads 1 --no-overlap ;;
        esac
        continue
      fi
      for threads in 1 2; do
        for flags in "" "--no-overlap" "--shard-optimizer" "--shard-optimizer --no-overlap"; do
          same "$one" "$ranks" $options --groups $groups --threads $threads $flags
        done
      done
    done
  done
done

# Ten updates of the optimisers for large batches; and a run from weights, with a teacher, that rank 0 reads for all.
recipe=$(echo "$recipe" | sed 's/--train-size 204/--train-size 300/; s/--epochs 2 --batch-size 96/--epochs 1 --batch-size 32/')
for options in "--optimizer lamb" "--optimizer lars" "--init $work/cnn-8 --teacher $work/cnn-8 --distillation soft"; do
  options="--model cnn --groups 8 --threads 1 $options"
  rm -rf "$work/one"
  # shellcheck disable=SC2086
  "$build/vitrail" train $recipe $options --out "$work/one" >"$work/log" 2>&1 || { cat "$work/log"; failed=$((failed + 1)); }
  # shellcheck disable=SC2086
  same one 4 $options --shard-optimizer
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
