// Running commands that may be hostile: limited, and gone with everything they started when they are over.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vitrail::labs {

struct Limits {
  int cpu_seconds = 0;      // processor time; 0: no limit. A busy machine must not fail anybody
  double wall_seconds = 0;  // 0: no limit
  int64_t data_bytes = 0;   // of the heap; 0: no limit
  int64_t stack_bytes = 0;  // 0: as it is
  bool confined = false;    // no new processes, no writing to files, no network (confine())
};

struct Ran {
  int status = 0;       // exit status, or 128 + signal
  std::string output;   // standard output and error, the first 4 MiB
  std::string results;  // what came on the descriptor for results
  double seconds = 0;
  bool out_of_time = false;
};

// Runs a command without input in a process group of its own. With a ticket, descriptor 197 gives it the ticket and 198 takes
// results. Afterwards its group and every process that it left behind are killed. Error(kIo) if it cannot be started.
Ran run(const std::vector<std::string>& command, const Limits& limits = {}, const std::string& ticket = "");

// Call once at the start of the program: processes that leave their group become children of this one, so that run() finds
// them.
void adopt_orphans();

// In a child before exec: from now on this process and what it executes can start threads but no processes, cannot write to
// files, and has no network. Without effect where the kernel has no seccomp.
void confine();

// Several calls of `work(i)`, i = 0 .. count - 1, in `jobs` threads.
template <class Work>
void in_parallel(size_t count, unsigned jobs, Work work);

double seconds_now();

}  // namespace vitrail::labs

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

namespace vitrail::labs {

template <class Work>
void in_parallel(size_t count, unsigned jobs, Work work) {
  std::atomic<size_t> next{0};
  std::exception_ptr first;
  std::mutex mutex;
  const auto worker = [&] {
    for (size_t i; (i = next++) < count;) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex);
        if (!first) first = std::current_exception();
        next = count;
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < jobs; ++t) threads.emplace_back(worker);
  for (std::thread& t : threads) t.join();
  if (first) std::rethrow_exception(first);
}

}  // namespace vitrail::labs
