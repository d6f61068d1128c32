#include "comm/lane.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace vitrail {

Lane::~Lane() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    work_.clear();
  }
  given_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Lane::start(std::function<void(Communicator&)> work) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    work_.push_back(std::move(work));
  }
  given_.notify_all();
  if (thread_.joinable()) return;
  // Signals are for the thread that trains.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Lane::wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  done_.wait(lock, [this] { return work_.empty() && !busy_; });
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void Lane::run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    given_.wait(lock, [this] { return stop_ || !work_.empty(); });
    if (stop_) return;
    const std::function<void(Communicator&)> work = std::move(work_.front());
    work_.pop_front();
    busy_ = true;
    lock.unlock();
    std::exception_ptr error;
    try {
      work(comm_);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    busy_ = false;
    if (error && !error_) error_ = error, work_.clear();
    if (work_.empty()) done_.notify_all();
  }
}

}  // namespace vitrail
