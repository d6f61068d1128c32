// Examples of batches made ahead of the training step, by worker threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "data/batch.h"

namespace vitrail {

// The examples [begin, end) of the order of an epoch.
struct ExampleRange {
  int64_t epoch = 0, begin = 0, end = 0;
  friend bool operator==(const ExampleRange&, const ExampleRange&) = default;
};

// Workers take the next example that is wanted, whichever batch it belongs to. Who asks for a batch that is not ready makes its
// remaining examples with all threads, so workers never hold the step up.
//
// Threads: `workers` of our own, which run only while the budget has a thread for them (tensor/machine/thread_budget.h):
// together with the computation never more than num_threads(), so that with one thread they rest and examples are made when
// they are asked for. They leave signals to the other threads. Memory: workers start no example while those that wait to be
// taken hold `most_bytes` or more. Errors of making an example are thrown by take() of its batch: that of the lowest position,
// whatever the threads. Destruction waits for examples that are being made, at most one for each worker, and not for a queue.
// Thread safety: take() from one thread.
class Prefetcher {
 public:
  // Makes the example at a position of an epoch's order. Called from several threads at once.
  using Make = std::function<Example(int64_t epoch, int64_t position)>;

  // Error(kMemory) if the system refuses a thread.
  Prefetcher(int64_t workers, int64_t most_bytes, Make make);
  ~Prefetcher();
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  // The examples of `wanted`. Workers turn to those of `next`, in that order; what they had begun of other ranges is dropped.
  std::vector<Example> take(const ExampleRange& wanted, const std::vector<ExampleRange>& next);
  // Of the examples that wait to be taken.
  int64_t bytes() const;

 private:
  struct Job {
    explicit Job(const ExampleRange& r) : range(r), examples(static_cast<size_t>(r.end - r.begin)) {}
    int64_t size() const { return range.end - range.begin; }

    ExampleRange range;
    std::vector<Example> examples;
    int64_t claimed = 0, done = 0;  // examples that somebody makes or has made; that are finished
    int64_t failed = -1;            // the lowest that failed
    std::exception_ptr error;
    int64_t bytes = 0;
    bool dropped = false;
  };
  using JobPtr = std::shared_ptr<Job>;

  void work();
  JobPtr next_job() const;  // with an example to claim
  bool make_one(std::unique_lock<std::mutex>& lock, const JobPtr& job);
  JobPtr job_for(const ExampleRange& range);
  void drop(const JobPtr& job);
  void stop_workers();

  const int64_t most_bytes_;
  const Make make_;
  mutable std::mutex mutex_;
  std::condition_variable work_, finished_;
  std::deque<JobPtr> queue_;
  int64_t bytes_ = 0;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

}  // namespace vitrail
