// The processes of one training run (docs/cluster.md): what the trainer does together with the other ranks, beside adding up
// gradients. Rank 0 alone writes; all hold the same weights, to the bit.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "train/ranks/gradient_sum.h"

namespace vitrail {

// What is compared between the ranks before a run: a name for people, and the value.
using Facts = std::vector<std::pair<std::string, std::string>>;

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

  // Error(kValue) on the lowest rank that differs from rank 0 in one of these facts or those of the options, naming it and both
  // values; the others wait for its end.
  void require_same(Facts facts);
  // Rank 0's values into those of all.
  void share(const nn::StateDict& tensors);
  // Error(kNumeric) on the lowest rank whose weights differ from rank 0's.
  void check_weights(const nn::StateDict& weights, int64_t step);

  // Before an update: what this rank has heard. Afterwards: what all have, the same on every rank.
  void begin_step(int64_t step, int signal, bool save);
  int signal() const { return signal_; }
  bool save() const { return save_; }
  // After it: seconds of the update, of which gradients().exposed_seconds() were spent waiting.
  void end_step(double seconds);

  // Rank 0 does something that the others wait for.
  void lead(const std::function<void()>& work);
  // Of an error that all ranks have found together: returns on the rank that is to tell it, the lowest that answers for it, or
  // rank 0; the others wait here until that one has ended them.
  void let_one_tell(bool answers);

  // What the run cost beside computing, in one sentence for rank 0; the same call on all ranks.
  std::string summary();

 private:
  [[noreturn]] void wait_for_the_end();

  RanksOptions options_;
  GradientSum sum_;
  int signal_ = 0;
  bool save_ = false;
  double seconds_ = 0;
  int64_t steps_ = 0;
};

}  // namespace vitrail
