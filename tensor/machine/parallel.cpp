#include "tensor/machine/parallel.h"

#include <omp.h>

#include <atomic>
#include <cstdlib>
#include <exception>

#include "base/error.h"
#include "tensor/machine/container.h"
#include "tensor/machine/waiting.h"

namespace vitrail {
namespace {

int threads_at_start() {
  choose_waiting();
  const int available = std::max(1, omp_get_max_threads());  // OMP_NUM_THREADS, or the processors of the affinity mask
  return std::getenv("OMP_NUM_THREADS") ? available : threads_for(container_limits(), available);
}

std::atomic<int>& thread_setting() {
  static std::atomic<int> threads{threads_at_start()};
  return threads;
}

}  // namespace

int num_threads() { return thread_setting(); }

void set_num_threads(int threads) {
  check(threads >= 1 && threads <= 1024, ErrorKind::kValue, "threads", "1 to 1024 threads: asked for ", threads);
  thread_setting() = threads;
}

namespace detail {

void run_chunks(int64_t chunks, void (*body)(void* context, int64_t chunk), void* context) {
  const int threads = static_cast<int>(std::min<int64_t>(num_threads(), chunks));
  if (threads == 1 || omp_in_parallel()) {
    for (int64_t chunk = 0; chunk < chunks; ++chunk) body(context, chunk);
    return;
  }
  std::exception_ptr error;
  std::atomic<bool> failed{false};
  // Dynamic: a busy neighbour core must not make the others wait. Which thread runs a chunk does not change its result.
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    if (failed) continue;
    try {
      body(context, chunk);
    } catch (...) {
      if (!failed.exchange(true)) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace detail
}  // namespace vitrail
