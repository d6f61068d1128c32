// What the drawn data sets share: dice, and labels in balanced blocks.
#pragma once

#include <cstdint>

#include "tensor/rng.h"

namespace vitrail {

// Random numbers one after another from one generator.
class Dice {
 public:
  explicit Dice(const Rng& rng) : rng_(rng) {}

  // Uniform in [low, high).
  double real(double low, double high) { return low + (high - low) * rng_.uniform(next_++); }
  // Uniform in 0 .. n-1.
  int64_t below(int64_t n) { return static_cast<int64_t>(rng_.below(next_++, static_cast<uint64_t>(n))); }
  bool chance(double probability) { return rng_.uniform(next_++) < probability; }

 private:
  Rng rng_;
  uint64_t next_ = 0;
};

// The streams of a drawn set: training and test pictures share no random number.
enum class DrawnStream : uint64_t { kTrain = 101, kTest = 102 };

inline Rng drawn_rng(uint64_t seed, bool train) {
  return Rng(seed, static_cast<uint64_t>(train ? DrawnStream::kTrain : DrawnStream::kTest));
}

// The label of sample `index`: blocks of `classes` samples hold each label once, in an order shuffled by (rng, block).
int64_t balanced_label(const Rng& rng, int64_t index, int64_t classes);

}  // namespace vitrail
