# For the tests of this folder: start_ranks openmpi|mpich RANKS PROGRAM... on this machine, whoever runs it and however few processors it has.
start_ranks() {
  launcher=$1 count=$2
  shift 2
  if [ "$launcher" = openmpi ]; then
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 \
      "$(command -v mpirun.openmpi || command -v mpirun)" --bind-to none -np "$count" "$@"
  else
    "$(command -v mpiexec.mpich || command -v mpiexec.hydra || command -v mpiexec)" -n "$count" "$@"
  fi
}
