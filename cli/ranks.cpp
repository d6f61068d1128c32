#include "cli/ranks.h"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "base/version.h"
#include "comm/collectives.h"
#include "comm/heartbeat.h"
#include "comm/launcher.h"
#include "comm/world.h"
#include "tensor/machine/parallel.h"
#include "tensor/precision.h"
#include "tensor/product/gemm.h"
#include "train/ranks/agree.h"

namespace vitrail::cli {

namespace {

// The processors that this process may run on, as text.
std::string processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::string text;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return text;
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(i, &set)) text += cat(i, ",");
  return text;
}

std::unique_ptr<Heartbeat> heartbeat;

}  // namespace

int join_ranks(int argc, char** argv) {
  const Launch launch = launched_by();
  if (launch.processes <= 1) return 1;
  const auto here = static_cast<int>(world().ranks_here().size());
  const std::string_view command = argc > 1 ? argv[1] : "";
  for (const char* known : {"train", "comm-bench", "", "--help", "-h", "--version"})
    if (command == known) return here;
  fail(ErrorKind::kValue, "vitrail", escaped(std::string(command)), " is for one process: ", launch.by, " started ",
       launch.processes, ". Hint: train and comm-bench use several.");
}

void watch_ranks(double timeout) { heartbeat = std::make_unique<Heartbeat>(world(), timeout); }

void require_same_flags(const std::vector<std::pair<std::string, std::string>>& flags) {
  if (!in_world()) return;
  Facts facts{{"program version", kVersion}};
  facts.insert(facts.end(), flags.begin(), flags.end());
  require_same(world(), facts);
}

int leave_ranks(int code) {
  if (heartbeat) {
    world().set_activity("the end of the run");
    barrier(world());  // as long as a rank that does not come is noticed
    heartbeat.reset();
  }
  leave_world(code);
  return code;
}

int end_with(const std::string& message, int code) {
  if (!in_world()) {
    complain(message);
    return code;
  }
  Communicator& comm = world();
  if (comm.rank() != 0) {
    // What is wrong on all ranks, or on all but one, is said once: the lowest ends the others meanwhile.
    std::this_thread::sleep_for(std::chrono::milliseconds(500 + 500 * std::min(comm.rank() - 1, 8)));
    complain(cat("[", comm.name(comm.rank()), "] ", message));
  } else {
    complain(message);
  }
  std::fflush(stdout);
  // MPICH's mpiexec may end without having passed on what a rank wrote just before (1 of 30 times without this).
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  comm.abort(code);
  return code;  // not reached: GCC 12 does not see that a virtual function never returns
}

bool leads() { return world().rank() == 0; }

FileOfRank0::FileOfRank0(std::string path) : path_(std::move(path)) {
  Communicator& comm = world();
  if (comm.size() == 1) return;
  std::string content;
  if (leads()) {
    const std::vector<uint8_t> bytes = read_file(path_);
    content.assign(bytes.begin(), bytes.end());
  }
  broadcast(comm, content);
  if (leads()) return;
  copy_ = memfd_create("vitrail", 0);
  check(copy_ >= 0, ErrorKind::kMemory, "ranks", "no memory for a copy of rank 0's ", escaped_path(path_), ".");
  for (size_t at = 0; at < content.size();) {
    const ssize_t n = write(copy_, content.data() + at, content.size() - at);
    check(n > 0, ErrorKind::kMemory, "ranks", "no memory for a copy of rank 0's ", escaped_path(path_), ".");
    at += static_cast<size_t>(n);
  }
  path_ = cat("/proc/self/fd/", copy_);
}

FileOfRank0::~FileOfRank0() {
  if (copy_ >= 0) close(copy_);
}

void share_processors(int64_t threads, bool quiet) {
  Communicator& comm = world();
  if (comm.size() == 1) return;
  const std::string own = processors();
  const std::vector<std::string> all = all_gather(comm, own);
  int64_t sharers = 0;
  for (const int r : comm.ranks_here()) sharers += all[static_cast<size_t>(r)] == own;
  const int64_t available = std::max<int64_t>(1, std::count(own.begin(), own.end(), ','));
  // What was chosen for each rank (OMP_NUM_THREADS) is not divided again.
  const bool chosen = std::getenv("OMP_NUM_THREADS") != nullptr;
  const int64_t share =
      std::max<int64_t>(1, (chosen ? available : std::min<int64_t>(num_threads(), available)) / std::max<int64_t>(1, sharers));
  const int64_t fair = std::min<int64_t>(num_threads(), share);
  if (threads == 0) set_num_threads(static_cast<int>(fair));
  if (quiet || std::max<int64_t>(1, threads) * sharers <= available) return;
  complain(
      cat("warning: ", sharers, " ranks with ", threads > 0 ? threads : 1, " threads each share ", available,
          available == 1 ? " processor" : " processors", " of ", comm.node(comm.rank()),
          ": they will wait for each other. Hint: fewer ranks or --threads; where the launcher binds each rank to one core, "
          "mpirun --bind-to none, or srun --cpus-per-task."));
}

void compare_kernels(bool products_in_update, bool quiet) {
  Communicator& comm = world();
  if (comm.size() == 1) return;
  const std::vector<std::string> all = all_gather(comm, cat("BLIS ", blas_kernel_name(), ", bf16 ", bf16_kernel_name()));
  const auto other = std::find_if(all.begin(), all.end(), [&](const std::string& kernels) { return kernels != all[0]; });
  if (other == all.end()) return;
  const std::string difference = cat(comm.name(static_cast<int>(other - all.begin())), " computes with other kernels than ",
                                     comm.name(0), " (", *other, "; ", all[0], ")");
  check(!products_in_update || !leads(), ErrorKind::kValue, "train", difference,
        ", and muon multiplies matrices on each rank: their weights would drift apart. Hint: --shard-optimizer, or nodes of "
        "one kind.");
  if (!quiet) complain(cat("warning: ", difference, ": all ranks agree, but this run's bits are those of the mixture."));
}

}  // namespace vitrail::cli
