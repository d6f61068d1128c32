#!/bin/sh
# A cluster of four nodes on one machine: network namespaces with host names of their own, joined by a bridge, their links shaped.
#   tests/cluster/namespaces.sh BUILD openmpi|mpich            the same files as one process; a killed node; a stopped one; a cut link
#   tests/cluster/namespaces.sh BUILD openmpi|mpich run NODES RANKS vitrail-arguments...      anything on it; VITRAIL_RATE=1gbit
# Root only: elsewhere, and where the kernel has no namespaces, it says so and is skipped. Nothing of it lies in the machine's own network.
set -u
build=$(cd "$1" && pwd) kind=$2
. "$(dirname "$0")/ranks.sh"
rate=${VITRAIL_RATE:-1gbit}
nodes="vtn1 vtn2 vtn3 vtn4" hub=vthub
work=$(mktemp -d)
export TMPDIR="$work" OMP_WAIT_POLICY=passive

kill_nodes() {
  # shellcheck disable=SC2046
  for node in $nodes; do kill -9 $(ip netns pids "$node" 2>/dev/null) 2>/dev/null; done
}
down() {
  kill_nodes
  for node in $hub $nodes; do
    ip netns del "$node" 2>/dev/null
    rm -rf "/etc/netns/$node"
  done
}
end() {
  [ -z "${made:-}" ] || down
  rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM HUP
skip() {
  echo "skipped: no cluster of namespaces here, $1"
  exit 0
}
[ "$(id -u)" = 0 ] || skip "that needs root"
command -v ip >/dev/null && command -v tc >/dev/null || skip "that needs iproute2"
exec 9>/tmp/vitrail-namespaces.lock  # the names are those of the machine
flock -w 600 9 || skip "another test has one"
made=yes
down  # what one that was killed has left
ip netns add $hub 2>/dev/null && ip netns exec $hub unshare --uts true 2>/dev/null && ip -n $hub link add bridge type bridge 2>/dev/null ||
  skip "the kernel does not allow it"
ip -n $hub link set bridge up
number=0
for node in $nodes; do
  number=$((number + 1))
  ip netns add "$node"
  ip -n $hub link add "$node" type veth peer name eth0 netns "$node"
  ip -n $hub link set "$node" master bridge up
  ip -n "$node" addr add 10.77.0.$number/24 dev eth0
  ip -n "$node" link set eth0 up
  ip -n "$node" link set lo up
  for end in "$hub $node" "$node eth0"; do
    # shellcheck disable=SC2086
    set_rate() { tc -n $1 qdisc add dev $2 root tbf rate "$rate" burst 128kb latency 50ms || echo "the link of $1 is not shaped"; }
    # shellcheck disable=SC2086
    set_rate $end
  done
  mkdir -p "/etc/netns/$node"
  printf '127.0.0.1 localhost\n10.77.0.1 vtn1\n10.77.0.2 vtn2\n10.77.0.3 vtn3\n10.77.0.4 vtn4\n' >"/etc/netns/$node/hosts"
done

# What the launchers call instead of ssh: [-x] HOST COMMAND...
cat >"$work/rsh" <<'RSH'
#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
host=$1
shift
exec ip netns exec "$host" unshare --uts sh -c "hostname $host; $*"
RSH
chmod +x "$work/rsh"

# nodes, ranks, program...: replaces this (sub)shell.
launch() {
  hosts=$(echo $nodes | cut -d' ' -f1-"$1" | tr ' ' ',') count=$2
  each=$((count / $1))
  shift 2
  if [ "$kind" = openmpi ]; then
    hosts=$(echo "$hosts" | sed "s/,/:$each,/g"):$each
    set -- "$(command -v mpirun.openmpi || command -v mpirun)" --allow-run-as-root --bind-to none --mca plm_rsh_agent "$work/rsh" --mca btl tcp,self \
      --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 --host "$hosts" -np "$count" "$@"
  else
    # UCX would find that the nodes share a memory.
    set -- "$(command -v mpiexec.mpich || command -v mpiexec)" -launcher ssh -launcher-exec "$work/rsh" -iface eth0 -hosts "$hosts" -ppn "$each" \
      -genv UCX_TLS tcp,self -genv UCX_NET_DEVICES eth0 -n "$count" "$@"
  fi
  exec 9>&-
  exec ip netns exec vtn1 unshare --uts sh -c 'hostname vtn1; exec "$@"' sh "$@"
}

if [ "${3:-}" = run ]; then
  nodes_wanted=$4 ranks_wanted=$5
  shift 5
  (launch "$nodes_wanted" "$ranks_wanted" "$build/$kind/vitrail" "$@")
  exit $?
fi

passed=0 failed=0
verdict() {  # what, 0 if it holds
  if [ "$2" = 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $1"
    tail -c 1000 "$work/log"
  fi
}
options="--data glyphs --train-size 300 --test-size 100 --batch-size 64 --groups 8 --model vit_fashion_p7 --seed 5 --mixup 0.2 --ema 0.9
  --save-steps 2 --threads 1 --quiet"
same() { cmp -s "$work/one/checkpoint.safetensors" "$work/$1/checkpoint.safetensors"; }

# shellcheck disable=SC2086
"$build/vitrail" train $options --epochs 2 --out "$work/one" >"$work/log" 2>&1
# shellcheck disable=SC2086
(launch 4 4 "$build/$kind/vitrail" train $options --epochs 2 --out "$work/four") >"$work/log" 2>&1
same four
verdict "four nodes have the bits of one process" $?
# shellcheck disable=SC2086
(launch 4 8 "$build/$kind/vitrail" train $options --epochs 2 --shard-optimizer --out "$work/eight") >"$work/log" 2>&1
same eight
verdict "eight ranks on four nodes, each with a part of the optimiser, have the bits of one process" $?

out=$work/run timeout=5
# What happens; a pattern of the ranks that stay ("process rank").
after_fault() {
  what=$1
  rm -rf "$out"
  # shellcheck disable=SC2086
  (launch 4 4 "$build/$kind/vitrail" train $options --epochs 4000 --comm-timeout $timeout --out "$out") >"$work/log" 2>&1 &
  launcher=$!
  comes "$out/checkpoint.safetensors" 60
  [ "$(ranks_of "$out" | wc -l)" = 4 ]
  verdict "$what: four ranks run" $?
  $what
  clock
  left=4
  while [ "$left" != 0 ] && [ "$(tenths)" -lt $((10 * (timeout + 5))) ]; do
    sleep 0.05
    left=$(ranks_of "$out" | grep -vc "${2:-none}")
  done
  tenths=$(tenths)
  [ "$left" = 0 ]
  verdict "$what: all ranks are gone within $((timeout + 5)) s" $?
  echo "$what: all ranks were gone after $((tenths / 10)).$((tenths % 10)) s, with --comm-timeout $timeout"
  sleep 2
  stayed=$(for node in $nodes; do ip netns pids "$node" | while read -r process; do echo "$(tr '\0' ' ' <"/proc/$process/cmdline" | cut -d' ' -f1) on $node"; done; done)
  [ -z "$stayed" ] || echo "  what stayed, and is ended: $(echo "$stayed" | sed 's,^.*/,,' | sort | uniq -c | tr -s ' \n' ' ')"
  kill_nodes
  wait $launcher 2>/dev/null
  code=$?
  [ $code != 0 ]
  verdict "$what: the exit code of the launcher is not 0" $?
  echo "  exit code $code; $(grep -a '^vitrail: ' "$work/log" | sort | uniq -c | tr -s ' ')"
  "$build/vitrail" verify "$out/checkpoint.safetensors" >/dev/null 2>&1
  verdict "$what: the checkpoint is valid" $?
}
# shellcheck disable=SC2046
killed_node() { kill -9 $(ip netns pids vtn3); }
# shellcheck disable=SC2046
stopped_node() { kill -STOP $(ip netns pids vtn3); }
cut_link() { ip -n $hub link set vtn3 down; }
cut_first_link() { ip -n $hub link set vtn1 down; }
joined_again() {
  ip -n $hub link set "$1" up
  for node in $nodes; do ip -n "$node" neigh flush all; done
  sleep 1
}
after_fault killed_node
after_fault stopped_node ' 2$'
after_fault cut_link
joined_again vtn3
after_fault cut_first_link
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
