#include "comm/communicator.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/error.h"

namespace vitrail {

namespace {

// A message within one machine is there after some microseconds; who waits longer than a few of them leaves the processor to
// others, and looks again at intervals that are short beside a step and long beside a look.
constexpr int kSpins = 200;
constexpr auto kNap = std::chrono::microseconds(50);

}  // namespace

std::vector<int> Communicator::ranks_here() const {
  std::vector<int> ranks;
  for (int r = 0; r < size(); ++r)
    if (node(r) == node(rank_)) ranks.push_back(r);
  return ranks;
}

std::string Communicator::name(int rank) const { return cat("rank ", rank, " on ", node(rank)); }

void Communicator::set_activity(std::string what) {
  const std::lock_guard<std::mutex> lock(mutex_);
  last_ = activity_ = std::move(what);
}

void Communicator::set_activity_after(const std::string& what) {
  const std::lock_guard<std::mutex> lock(mutex_);
  activity_ = what + " after " + last_;
}

void Communicator::lose(const std::string& why) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!is_lost_) lost_ = why;
  is_lost_ = true;
}

void Communicator::wait(std::span<const TransferPtr> transfers) {
  std::vector<Transfer*> open;
  for (const TransferPtr& transfer : transfers) open.push_back(transfer.get());
  for (int looks = 0;; ++looks) {
    std::erase_if(open, [](Transfer* transfer) { return transfer->test(); });
    if (open.empty()) return;
    if (is_lost_) {
      const std::lock_guard<std::mutex> lock(mutex_);
      fail(ErrorKind::kIo, "comm", lost_, ", in ", activity_, " (", name(rank_), " waits for ", name(open.front()->peer()),
           ").");
    }
    if (looks >= kSpins) std::this_thread::sleep_for(kNap);
  }
}

}  // namespace vitrail
