// What started this process: mpirun, srun and their kin tell each process through its environment how many there are.
#pragma once

#include <string>

namespace vitrail {

struct Launch {
  int processes = 1;
  std::string by;        // "mpirun of Open MPI"; empty: none of those that are known
  std::string variable;  // that said so
};
Launch launched_by();

// Error(kValue) if the launcher started more processes than this program knows of: each would train by itself and write into
// the same folder. `known`: the ranks that MPI sees; `mpi`: mpi_version().
void check_launcher(const Launch& launch, int known, const std::string& mpi);

}  // namespace vitrail
