// Signs of life: a rank that was stopped, or that a cut network has taken away, is noticed by the others, while one that only
// computes for long is not taken for lost.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "comm/communicator.h"

namespace vitrail {

// Its thread sends a byte eight times in `timeout` seconds to the ranks r + 1, r + 2, r + 4, ... and expects the same from r -
// 1, r - 2, r - 4, ...: after `timeout` without one, Communicator::lose() ends all waiting here, and those that watch this rank
// are told. So each rank notices by itself when it is cut off from most of the others, at log2 R small messages a rank. 0
// seconds, or one rank: nothing.
class Heartbeat {
 public:
  Heartbeat(Communicator& comm, double timeout);
  // Tells the others that it ends as it should.
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  void run();

  Communicator& comm_;
  const double timeout_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace vitrail
