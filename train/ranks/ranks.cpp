#include "train/ranks/ranks.h"

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "base/error.h"
#include "base/text.h"
#include "comm/collectives.h"
#include "train/ranks/pack.h"

namespace vitrail {

namespace {

// The signals that end a run, in the order in which they count: what several ranks hear is told by the first.
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
constexpr size_t kSignalCount = std::size(kSignals);

}  // namespace

Ranks::Ranks(const RanksOptions& options) : options_(options), sum_(*options.comm, options.gradients) {}

void Ranks::require_same(Facts facts) {
  facts.insert(facts.end(), options_.facts.begin(), options_.facts.end());
  vitrail::require_same(comm(), facts);
}

void Ranks::begin_step(int64_t step, int signal, bool save) {
  comm().set_activity(cat("update ", step + 1));
  sent_before_ = comm().sent();
  std::vector<double>& beside = sum_.beside();
  beside.assign(kSignalCount + 1, 0);
  for (size_t i = 0; i < kSignalCount; ++i) beside[i] = signal == kSignals[i];
  beside[kSignalCount] = save;
}

void Ranks::end_step(double seconds) {
  signal_ = 0;
  const std::vector<double>& beside = sum_.beside();
  for (size_t i = kSignalCount; i-- > 0;)
    if (beside[i] > 0) signal_ = kSignals[i];
  save_ = beside[kSignalCount] > 0;
  seconds_ += seconds;
  sent_ += comm().sent() - sent_before_;
  ++steps_;
}

void Ranks::lead(const std::function<void()>& work, const std::function<void()>& serve) {
  comm().set_activity_after("what rank 0 writes");
  if (leads())
    work();
  else if (serve)
    serve();
  barrier(comm());
}

std::string Ranks::summary() {
  Packer packer;
  packer.put(seconds_).put(sum_.exposed_seconds()).put(sent_);
  const std::vector<std::string> all = all_gather(comm(), packer.bytes());
  // Who computes longest waits for nobody: what it does not compute is communication; the others wait for it, too.
  int slowest = 0;
  double computed = -1, whole = 0, exposed = 0, waited = 0, sent = 0;
  for (size_t r = 0; r < all.size(); ++r) {
    Unpacker unpacker(all[r]);
    const auto seconds = unpacker.get<double>(), open = unpacker.get<double>();
    sent = std::max(sent, unpacker.get<double>());
    if (seconds - open > computed) computed = seconds - open, slowest = static_cast<int>(r), whole = seconds, exposed = open;
    waited = std::max(waited, open);
  }
  if (steps_ == 0 || whole <= 0) return "";
  const double updates = static_cast<double>(steps_);
  char text[256];
  std::snprintf(
      text, sizeof text,
      "an update took %.4g ms: %.1f %% computing, %.1f %% communication that nothing hid; waiting for the slowest rank at "
      "most %.1f %%; %.3g MB sent by a rank in an update; slowest: ",
      1000 * whole / updates, 100 * computed / whole, 100 * exposed / whole, 100 * std::max(0.0, waited - exposed) / whole,
      sent / updates / 1e6);
  return text + comm().name(slowest);
}

}  // namespace vitrail
