#include "tensor/machine/parallel.h"

#include <omp.h>
#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "tensor/machine/container.h"
#include "tensor/machine/openmp_exit.h"
#include "tensor/machine/thread_budget.h"
#include "tensor/machine/waiting.h"

namespace vitrail {
namespace {

int threads_at_start() {
  choose_waiting();
  const int available = std::max(1, omp_get_max_threads());  // OMP_NUM_THREADS, or the processors of the affinity mask
  return std::getenv("OMP_NUM_THREADS") ? available : threads_for(container_limits(), available);
}

// libgomp ends the process if the system refuses it a thread. So before a team grows, the same number of threads is created as
// a test. They only wait until all of them exist.
void check_threads(int count) {
  pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&gate);
  const auto wait = [](void* raw) -> void* {
    auto* const mutex = static_cast<pthread_mutex_t*>(raw);
    pthread_mutex_lock(mutex);
    pthread_mutex_unlock(mutex);
    return nullptr;
  };
  std::vector<pthread_t> threads(static_cast<size_t>(count));
  int made = 0;
  while (made < count && pthread_create(&threads[static_cast<size_t>(made)], nullptr, wait, &gate) == 0) ++made;
  pthread_mutex_unlock(&gate);
  for (int i = 0; i < made; ++i) pthread_join(threads[static_cast<size_t>(i)], nullptr);
  check(made == count, ErrorKind::kMemory, "threads", "the system refuses thread ", made + 2, " of ", count + 1,
        ". Hint: set OMP_NUM_THREADS to fewer, or raise the limit of processes (ulimit -u) or of memory (ulimit -v).");
}

// Called before a parallel region: makes sure that the system grants this many threads.
void prepare_team(int threads) {
  thread_local int team = 1;  // libgomp keeps the threads of this thread's last region
  if (threads > team) check_threads(threads - team);
  team = threads;
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
namespace {

// The threads that a region may have now (tensor/machine/thread_budget.h).
class Team {
 public:
  explicit Team(int wanted) : threads(begin_team(wanted)) {}
  ~Team() { end_team(threads); }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  const int threads;
};

}  // namespace

void run_chunks(int64_t chunks, void (*body)(void* context, int64_t chunk), void* context) {
  // Always the whole team, even for few chunks: libgomp ends threads that a region does not use and creates new ones for the
  // next.
  const auto serially = [&] {
    for (int64_t chunk = 0; chunk < chunks; ++chunk) body(context, chunk);
  };
  if (num_threads() == 1 || chunks == 1 || omp_in_parallel() || is_worker()) return serially();
  const Team team(num_threads());
  const int threads = team.threads;
  if (threads == 1) return serially();
  prepare_team(threads);
  // The error of the lowest chunk that fails is the one that is thrown, whatever the threads: chunks are handed out in rising
  // order, and only those above a failed one are left out.
  std::exception_ptr error;
  std::atomic<int64_t> lowest_failed{chunks};
  std::mutex guard;
  const InsideOpenMp inside;
  // Dynamic, so that a core that is busy with another program delays only its own chunk. Which thread runs a chunk does not
  // change its result.
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    if (chunk > lowest_failed) continue;
    try {
      body(context, chunk);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(guard);
      if (chunk < lowest_failed) lowest_failed = chunk, error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace detail
}  // namespace vitrail
