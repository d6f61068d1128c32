#!/bin/sh
# Runs the commands of docs/cluster.md that one machine can run: each indented line that begins with vitrail, mpirun, mpiexec or srun, as it stands there. `photos` is a
# folder of small pictures, `hosts` names this machine; PBS's file is `hosts`, too, and Slurm is skipped where it is not.
#   tests/cluster/docs.sh BUILD openmpi|mpich
set -u
build=$(cd "$1" && pwd) kind=$2
document=$(cd "$(dirname "$0")/../.." && pwd)/docs/cluster.md
. "$(dirname "$0")/ranks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/photos/a" "$work/photos/b"
# Small pictures, and a program that does not take an hour over them.
awk -v folder="$work/photos" 'BEGIN {
  for (i = 0; i < 40; i++) for (c = 0; c < 2; c++) {
    file = folder "/" (c ? "b" : "a") "/" i ".pgm"
    printf "P5\n14 14\n255\n" >file
    for (line = 0; line < 28; line++) printf "%07d", int(rand() * 1e7) >file
    close(file)
  }
}'
cat >"$work/bin/vitrail" <<ONE
#!/bin/sh
command=\$1
shift
case \$command in
plan) exec "$build/vitrail" plan "\$@" --updates 1 --img-size 32 ;;
comm-bench) exec "$build/$kind/vitrail" comm-bench "\$@" --model vit_tiny_patch16_224 --buckets 4 --repeats 2 --sums 1 ;;
train) exec "$build/$kind/vitrail" train --quiet --model vit_fashion_p7 --epochs 1 --batch-size 32 --threads 1 "\$@" ;;
*) exec "$build/$kind/vitrail" \$command "\$@" ;;
esac
ONE
cat >"$work/bin/launcher" <<ONE
#!/bin/sh
. "$(cd "$(dirname "$0")" && pwd)/ranks.sh"
environment_for_tests
case $kind in openmpi) exec $(command -v mpirun.openmpi || command -v mpirun) "\$@" ;; *) exec $(command -v mpiexec.mpich || command -v mpiexec) "\$@" ;; esac
ONE
cp "$work/bin/launcher" "$work/bin/mpirun"
cp "$work/bin/launcher" "$work/bin/mpiexec"
chmod +x "$work"/bin/*
[ "$kind" = openmpi ] && slots=" slots=1" || slots=
echo "$(hostname)$slots" >"$work/hosts"
PATH="$work/bin:$PATH" PBS_NODEFILE=$work/hosts OMP_WAIT_POLICY=passive
export PATH PBS_NODEFILE OMP_WAIT_POLICY
[ "$kind" = openmpi ] && mine='^    (vitrail|mpirun|srun --mpi=pmix) ' || mine='^    mpiexec '
passed=0 failed=0
grep -E "$mine" "$document" >"$work/commands"
while read -r line; do
  case $line in
  *"--host node1,node2"*) line=$(echo "$line" | sed "s/node1,node2/$(hostname):2/") ;;
  *"-hosts node1,node2"*) line=$(echo "$line" | sed "s/node1,node2/$(hostname)/") ;;
  srun*) command -v srun >/dev/null && sinfo -h 2>/dev/null | grep -q idle || { echo "skipped, no Slurm here: $line"; continue; } ;;
  esac
  if (cd "$work" && sh -c "$line") >"$work/log" 2>&1 </dev/null && { ! echo "$line" | grep -q ' train ' || [ -e "$work/$(echo "$line" | sed 's/.*--out \([^ ]*\).*/\1/')/model.safetensors" ]; }; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $line"
    tail -c 1000 "$work/log"
  fi
done <"$work/commands"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -ge 2 ]
