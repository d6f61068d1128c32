// A run whose loss stays where guessing is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "train/config.h"

namespace vitrail {

// Watches the losses of the updates. Looks after 200 updates, once half of the warm-up is over (but not later than after 2,000), and
// once more after five times as many: if the mean of the last 50 losses is less than 0.02 below that of guessing, says so, once a
// run, with the causes that people's reports name (vit.md, section 4, row 4).
class StuckNotice {
 public:
  // guess: the loss of the best answer that does not look at the image (Task::guess_loss); none: never says anything.
  StuckNotice(const TrainConfig& config, std::optional<double> guess, int64_t warmup_steps);
  // The loss of update `step`, from 1: the sentence, or "".
  std::string add(int64_t step, double loss);

 private:
  TrainConfig config_;
  std::optional<double> guess_;
  int64_t first_;     // update after which it looks
  double sum_ = 0;    // of the losses before the next look
  int64_t count_ = 0;
  bool said_ = false;
};

}  // namespace vitrail
