// A thread of its own for messages, so that they travel while this rank computes.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "comm/communicator.h"

namespace vitrail {

// Runs what it is given in order. While it has something to do nobody else may use the communicator: call wait() first.
class Lane {
 public:
  explicit Lane(Communicator& comm) : comm_(comm) {}
  // What is still to be done is left undone.
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  void start(std::function<void(Communicator&)> work);
  // Until all is done. Throws the first error; what came after it was not begun.
  void wait();

 private:
  void run();

  Communicator& comm_;
  std::mutex mutex_;
  std::condition_variable given_, done_;
  std::deque<std::function<void(Communicator&)>> work_;
  bool busy_ = false, stop_ = false;
  std::exception_ptr error_;
  std::thread thread_;  // from the first start() on
};

}  // namespace vitrail
