// What limits this run and is not seen from the command line: said once, on standard error, before the work.
#include <unistd.h>

#include <cstdio>

#include "cli/commands.h"
#include "tensor/machine/container.h"
#include "tensor/machine/parallel.h"
#include "tensor/product/gemm.h"

namespace vitrail::cli {

void print_machine_notice() {
  const ContainerLimits limits = container_limits();
  const double memory = static_cast<double>(limits.memory_bytes) / 1e9;
  const double physical = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e9;
  const bool fewer = limits.processors > 0 && limits.processors < static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
  if (fewer) std::fprintf(stderr, "container: %.3g processors, %d threads\n", limits.processors, num_threads());
  if (memory > 0 && memory < physical) std::fprintf(stderr, "container: %.3g GB of memory\n", memory);
  const std::string blas = blas_notice();
  if (!blas.empty()) std::fprintf(stderr, "%s\n", blas.c_str());
}

}  // namespace vitrail::cli
