# For the tests of this folder: start_ranks openmpi|mpich RANKS PROGRAM... on this machine, whoever runs it and however few processors it has.
# LAUNCH_BY=exec in a subshell: in place of it, so that its process is the launcher.
start_ranks() {
  launcher=$1 count=$2
  shift 2
  environment_for_tests
  if [ "$launcher" = openmpi ]; then
    ${LAUNCH_BY:-} "$(command -v mpirun.openmpi || command -v mpirun)" --bind-to none -np "$count" "$@"
  else
    ${LAUNCH_BY:-} "$(command -v mpiexec.mpich || command -v mpiexec.hydra || command -v mpiexec)" -n "$count" "$@"
  fi
}

# Of the run into the folder $1: "process rank" a line, of each rank that there is.
ranks_of() {
  for process in $(pgrep -f "^[^ ]*/vitrail train .*--out $1( |\$)"); do
    rank=$(tr '\0' '\n' 2>/dev/null <"/proc/$process/environ" | sed -n 's/^\(OMPI_COMM_WORLD_RANK\|PMI_RANK\)=//p')
    [ -n "$rank" ] && echo "$process $rank"
  done 2>/dev/null
}
process_of() { ranks_of "$1" | awk -v rank="$2" '$2 == rank { print $1 }'; }

# Tenths of a second since $clock.
clock() { clock=$(date +%s%N); }
tenths() { echo $((($(date +%s%N) - clock) / 100000000)); }

# Whether all ranks of the run into the folder $1 are gone within $2 s, and so is the launcher, the process $3; says who is not, and ends it.
# How long it took: $tenths.
all_gone() {
  clock
  while [ "$(tenths)" -lt $(($2 * 10)) ]; do
    left=$(ranks_of "$1")
    [ -z "$left" ] && ! kill -0 "$3" 2>/dev/null && tenths=$(tenths) && return 0
    sleep 0.05
  done
  [ -n "$left" ] && echo "  still there after $2 s: rank $(echo "$left" | cut -d' ' -f2 | tr '\n' ' ')" || echo "  the launcher is still there after $2 s"
  # shellcheck disable=SC2046
  kill -9 "$3" $(echo "$left" | cut -d' ' -f1) 2>/dev/null
  return 1
}
# Until the file $1 is there; false after $2 s.
comes() {
  clock
  while [ ! -e "$1" ]; do
    [ "$(tenths)" -lt $(($2 * 10)) ] || return 1
    sleep 0.02
  done
}
# Open MPI refuses root, and more ranks than processors, unless told so.
environment_for_tests() { export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1; }
