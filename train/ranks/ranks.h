// The processes of one training run (docs/cluster.md): what the trainer does together with the other ranks, beside adding up
// gradients. Rank 0 alone writes; all hold the same weights, to the bit.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "train/ranks/agree.h"
#include "train/ranks/gradient_sum.h"

namespace vitrail {

struct RanksOptions {
  Communicator* comm = nullptr;  // must outlive the run; null, or of one rank: this process alone
  GradientSumOptions gradients{};
  Facts facts{};  // that the trainer does not know of
};

class Ranks {
 public:
  explicit Ranks(const RanksOptions& options);

  Communicator& comm() { return *options_.comm; }
  GradientSum& gradients() { return sum_; }
  bool leads() const { return options_.comm->rank() == 0; }

  // Those of the options among them (train/ranks/agree.h).
  void require_same(Facts facts);

  // Before an update: what this rank has heard. Afterwards: what all have, the same on every rank.
  void begin_step(int64_t step, int signal, bool save);
  int signal() const { return signal_; }
  bool save() const { return save_; }
  // After it: seconds of the update, of which gradients().exposed_seconds() were spent waiting.
  void end_step(double seconds);

  // Rank 0 does something that the others wait for, and perhaps serve.
  void lead(const std::function<void()>& work, const std::function<void()>& serve = {});

  // What the run cost beside computing, in one sentence for rank 0; the same call on all ranks.
  std::string summary();

 private:
  RanksOptions options_;
  GradientSum sum_;
  int signal_ = 0;
  bool save_ = false;
  double seconds_ = 0, sent_ = 0, sent_before_ = 0;  // of the updates
  int64_t steps_ = 0;
};

}  // namespace vitrail
