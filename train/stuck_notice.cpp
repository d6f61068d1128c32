#include "train/stuck_notice.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"

namespace vitrail {

namespace {

constexpr int64_t kFirst = 200, kLatest = 2000, kAgain = 5, kAveraged = 50;
constexpr double kKnowledge = 0.02;  // nats; the mean of 50 batches is about so sure

}  // namespace

StuckNotice::StuckNotice(const TrainConfig& config, std::optional<double> guess, int64_t warmup_steps)
    : config_(config), guess_(guess), first_(std::clamp(warmup_steps / 2, kFirst, kLatest)) {}

std::string StuckNotice::add(int64_t step, double loss) {
  if (!guess_ || said_) return "";
  const int64_t look = step <= first_ ? first_ : kAgain * first_;
  if (step > look || step <= look - kAveraged) return "";
  if (step == look - kAveraged + 1) sum_ = 0, count_ = 0;
  sum_ += loss, ++count_;
  const double mean = sum_ / static_cast<double>(count_);
  // A run that was resumed in between has seen fewer.
  if (step != look || count_ < kAveraged || mean <= *guess_ - kKnowledge) return "";
  said_ = true;
  char text[160];
  std::snprintf(text, sizeof text, "after %lld updates the loss is %.3f, and guessing gives %.3f: nothing has been learnt yet. ",
                static_cast<long long>(step), mean, *guess_);
  return cat(text, "Usual causes: a learning rate that is too high (it is ", scaled_lr(config_),
             "; try a tenth) or far too low",
             config_.warmup > 0 || config_.warmup_epochs > 0 ? "" : ", no warm-up (--warmup 0.05)",
             ", too much dropout, patches that are large for the picture, labels that do not belong to the images. "
             "--overfit-one-batch tells whether learning works at all.");
}

}  // namespace vitrail
