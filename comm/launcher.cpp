#include "comm/launcher.h"

#include <cstdlib>

#include "base/error.h"
#include "base/text.h"

namespace vitrail {

Launch launched_by() {
  // PMI_SIZE is that of MPICH's mpiexec (Hydra), and of srun with its own PMI; Slurm's is looked at after them, since mpirun
  // may run inside a job.
  struct Known {
    const char *variable, *by;
  };
  for (const Known& known : {Known{"OMPI_COMM_WORLD_SIZE", "mpirun of Open MPI"},
                             {"PMI_SIZE", "mpiexec of MPICH"},
                             {"MPI_LOCALNRANKS", "mpiexec of MPICH"},
                             {"SLURM_STEP_NUM_TASKS", "srun"}}) {
    const char* const text = std::getenv(known.variable);
    if (!text) continue;
    const int processes = std::atoi(text);
    if (processes > 1) return {processes, known.by, known.variable};
  }
  return {};
}

void check_launcher(const Launch& launch, int known, const std::string& mpi) {
  if (launch.processes <= 1 || known > 1) return;
  const std::string why = mpi.empty() ? "was built without MPI" : "was built with " + mpi + ", which sees one";
  const std::string hint = mpi.empty()
                               ? "make MPI=1 builds one with it"
                               : "start it with the launcher of that MPI, or build it with this one's: make MPI=openmpi, make "
                                 "MPI=mpich";
  fail(ErrorKind::kValue, "comm", launch.by, " started ", launch.processes, " processes (", launch.variable,
       "), and this program ", why, ": each would train alone, into one folder. Hint: ", hint, ".");
}

}  // namespace vitrail
