#!/bin/sh
# A cluster of four nodes on one machine: network namespaces with names of their own, joined by a bridge, their links shaped to 1 Gb/s.
#   tests/cluster/namespaces.sh BUILD openmpi|mpich            the same files as one process; a killed node; a cut link
#   tests/cluster/namespaces.sh BUILD openmpi|mpich run NODES RANKS vitrail-arguments...      anything on it
# Root only: elsewhere, and where the kernel has no namespaces, it says so and passes nothing.
set -u
build=$(cd "$1" && pwd) kind=$2
rate=${VITRAIL_RATE:-1gbit}
nodes="vtn1 vtn2 vtn3 vtn4" bridge=vtbr
work=$(mktemp -d)
exec 9>/tmp/vitrail-namespaces.lock && flock 9  # the names are those of the machine

down() {
  for node in $nodes; do
    # shellcheck disable=SC2046
    kill -9 $(ip netns pids $node 2>/dev/null) 2>/dev/null
    ip link del $node-b 2>/dev/null  # first: a namespace gives its devices up only some time after it is gone
    ip netns del $node 2>/dev/null
    rm -rf "/etc/netns/$node"
  done
  ip link del $bridge 2>/dev/null
}
end() {
  down
  rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM

[ "$(id -u)" = 0 ] && command -v ip >/dev/null && down  # what a run that was killed has left
if [ "$(id -u)" != 0 ] || ! command -v ip >/dev/null || ! command -v tc >/dev/null || ! ip netns add vtn1 2>/dev/null; then
  echo "no cluster of namespaces here: that needs root, iproute2, and a kernel that has them"
  exit 0
fi
ip netns del vtn1

ip link add $bridge type bridge && ip link set $bridge up
number=0
for node in $nodes; do
  number=$((number + 1))
  ip netns add $node
  ip link add $node-b type veth peer name eth0 netns $node
  ip link set $node-b master $bridge up
  tc qdisc add dev $node-b root tbf rate "$rate" burst 128kb latency 50ms
  ip -n $node addr add 10.77.0.$number/24 dev eth0
  ip -n $node link set eth0 up
  ip -n $node link set lo up
  ip netns exec $node tc qdisc add dev eth0 root tbf rate "$rate" burst 128kb latency 50ms
  mkdir -p /etc/netns/$node
  printf '127.0.0.1 localhost\n10.77.0.1 vtn1\n10.77.0.2 vtn2\n10.77.0.3 vtn3\n10.77.0.4 vtn4\n' >/etc/netns/$node/hosts
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

# nodes, ranks, program...
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
    tail -5 "$work/log"
  fi
}
options="--data glyphs --train-size 300 --test-size 100 --batch-size 64 --groups 8 --seed 5 --mixup 0.2 --ema 0.9 --save-steps 2 --quiet"
sum() { sha256sum "$work/$1/checkpoint.safetensors" | cut -c1-64; }
# Within so many seconds no rank is left; how long it took.
gone() {
  waited=0
  while pgrep -f "^$build/$kind/vitrail train" >/dev/null && [ $waited -lt $((10 * $1)) ]; do
    sleep 0.1
    waited=$((waited + 1))
  done
  ! pgrep -f "^$build/$kind/vitrail train" >/dev/null
}

# shellcheck disable=SC2086
"$build/vitrail" train $options --epochs 2 --out "$work/one" >"$work/log" 2>&1
# shellcheck disable=SC2086
(launch 4 4 "$build/$kind/vitrail" train $options --epochs 2 --out "$work/four") >"$work/log" 2>&1
[ "$(sum one)" = "$(sum four)" ]
verdict "four nodes have the bits of one process" $?

# fault, seconds until all must be gone
after_fault() {
  what=$1 limit=$2
  rm -rf "$work/run"
  # shellcheck disable=SC2086
  (launch 4 4 "$build/$kind/vitrail" train $options --epochs 400 --comm-timeout 5 --out "$work/run") >"$work/log" 2>&1 &
  launcher=$!
  waited=0
  while [ ! -e "$work/run/checkpoint.safetensors" ] && [ $waited -lt 300 ]; do
    sleep 0.1
    waited=$((waited + 1))
  done
  [ -e "$work/run/checkpoint.safetensors" ] && [ "$(pgrep -fc "^$build/$kind/vitrail train")" = 4 ]
  verdict "$what: four ranks run" $?
  $what
  gone "$limit"
  verdict "$what: all ranks are gone within $limit s" $?
  echo "  $what: gone after $((waited / 10)).$((waited % 10)) s"
  if kill -0 $launcher 2>/dev/null; then echo "  the launcher is still there, and is ended"; fi
  # Whatever still waits for a node that will not answer.
  # shellcheck disable=SC2046
  for node in $nodes; do kill -9 $(ip netns pids $node 2>/dev/null) 2>/dev/null; done
  wait $launcher 2>/dev/null
  code=$?
  [ $code != 0 ]
  verdict "$what: the exit code is not 0 (it is $code)" $?
  "$build/vitrail" verify "$work/run/checkpoint.safetensors" >"$work/log" 2>&1
  verdict "$what: the checkpoint is valid" $?
}
killed_node() {
  # shellcheck disable=SC2046
  kill -9 $(ip netns pids vtn3)
}
cut_link() { ip link set vtn3-b down; }
after_fault killed_node 10
after_fault cut_link 10
ip link set vtn3-b up
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
