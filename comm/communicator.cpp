#include "comm/communicator.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/error.h"

namespace vitrail {

namespace {

using Clock = std::chrono::steady_clock;

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

void Communicator::wait(std::span<const TransferPtr> transfers) {
  std::vector<Transfer*> open;
  for (const TransferPtr& transfer : transfers) open.push_back(transfer.get());
  const Clock::time_point start = Clock::now();
  for (int looks = 0;; ++looks) {
    std::erase_if(open, [](Transfer* transfer) { return transfer->test(); });
    if (open.empty()) return;
    if (looks < kSpins) continue;
    std::this_thread::sleep_for(kNap);
    if (timeout_ <= 0 || std::chrono::duration<double>(Clock::now() - start).count() < timeout_) continue;
    std::string names;
    for (const Transfer* transfer : open)
      if (names.find(name(transfer->peer())) == std::string::npos)
        names += (names.empty() ? "" : ", ") + name(transfer->peer());
    fail(ErrorKind::kIo, "comm", "no answer for ", timeout_, " s in ", activity_, " from ", names,
         ". Hint: look there for a process that was stopped or a network that is cut; --comm-timeout if it was only slow.");
  }
}

}  // namespace vitrail
