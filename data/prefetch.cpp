#include "data/prefetch.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "tensor/machine/parallel.h"
#include "tensor/machine/thread_budget.h"

namespace vitrail {
namespace {

// Signals are for the thread that trains: a worker is made with all of them blocked.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

int64_t bytes_of(const Example& example) {
  int64_t bytes = 0;
  for (const Tensor& part : {example.image, example.target.boxes, example.target.mask})
    if (part.defined()) bytes += part.numel() * size_of(part.dtype());
  return bytes;
}

}  // namespace

Prefetcher::Prefetcher(int64_t workers, int64_t most_bytes, Make make) : most_bytes_(most_bytes), make_(std::move(make)) {
  const SignalsBlocked blocked;
  try {
    for (int64_t i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    const size_t made = threads_.size();
    stop_workers();
    fail(ErrorKind::kMemory, "loader", "the system refuses worker thread ", made + 1, " of ", workers,
         ". Hint: fewer workers, or raise the limit of processes (ulimit -u).");
  } catch (...) {
    stop_workers();
    throw;
  }
}

Prefetcher::~Prefetcher() { stop_workers(); }

void Prefetcher::stop_workers() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  wake_borrowers();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

int64_t Prefetcher::bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return bytes_;
}

Prefetcher::JobPtr Prefetcher::next_job() const {
  if (bytes_ >= most_bytes_) return nullptr;
  for (const JobPtr& job : queue_)
    if (job->claimed < job->size() && job->failed < 0) return job;
  return nullptr;
}

void Prefetcher::work() {
  const WorkerScope worker;
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return stop_ || next_job() != nullptr; });
    if (stop_) return;
    lock.unlock();
    const bool borrowed = borrow_thread(stop_);
    lock.lock();
    // The thread is kept while there is work: each return and borrowing changes the size of the teams.
    while (borrowed && !stop_) {
      const JobPtr job = next_job();
      if (!job) break;
      make_one(lock, job);
    }
    if (!borrowed) continue;
    lock.unlock();
    return_thread();
    lock.lock();
  }
}

// Claims and makes the next example of the job; false if there is none. Examples are claimed in rising order, so the lowest one
// that fails is always among those that are made.
bool Prefetcher::make_one(std::unique_lock<std::mutex>& lock, const JobPtr& job) {
  if (job->claimed == job->size() || job->failed >= 0) return false;
  const int64_t i = job->claimed++;
  lock.unlock();
  Example example;
  std::exception_ptr error;
  try {
    example = make_(job->range.epoch, job->range.begin + i);
  } catch (...) {
    error = std::current_exception();
  }
  const int64_t bytes = bytes_of(example);
  lock.lock();
  if (error && (job->failed < 0 || i < job->failed)) job->failed = i, job->error = error;
  if (!job->dropped) {
    job->examples[static_cast<size_t>(i)] = std::move(example);
    job->bytes += bytes, bytes_ += bytes;
  }
  if (++job->done == job->claimed) finished_.notify_all();
  return true;
}

void Prefetcher::drop(const JobPtr& job) {
  job->dropped = true;
  bytes_ -= job->bytes;
}

Prefetcher::JobPtr Prefetcher::job_for(const ExampleRange& range) {
  const auto found = std::find_if(queue_.begin(), queue_.end(), [&](const JobPtr& job) { return job->range == range; });
  return found == queue_.end() ? std::make_shared<Job>(range) : *found;
}

std::vector<Example> Prefetcher::take(const ExampleRange& wanted, const std::vector<ExampleRange>& next) {
  std::unique_lock<std::mutex> lock(mutex_);
  const JobPtr job = job_for(wanted);
  std::deque<JobPtr> queue{job};
  for (const ExampleRange& range : next) queue.push_back(job_for(range));
  for (const JobPtr& old : queue_)
    if (std::find(queue.begin(), queue.end(), old) == queue.end()) drop(old);
  queue_ = std::move(queue);
  const int64_t rest = job->size() - job->claimed;
  work_.notify_all();
  lock.unlock();
  // Workers and this team claim from the same job; a turn that finds nothing left does nothing.
  parallel_for(rest, 1, [&](int64_t from, int64_t to) {
    std::unique_lock<std::mutex> own(mutex_);
    for (int64_t turn = from; turn < to && make_one(own, job); ++turn) {
    }
  });
  lock.lock();
  finished_.wait(lock, [&] { return job->done == job->claimed; });
  queue_.pop_front();
  drop(job);
  if (job->failed >= 0) std::rethrow_exception(job->error);
  lock.unlock();
  work_.notify_all();  // memory is free again
  return std::move(job->examples);
}

}  // namespace vitrail
