// Random numbers as a function: value = f(seed, stream, index). Neither the number of threads, nor the batch split, nor a
// resume changes them.
//
// Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, section 3.3).
#pragma once

#include <array>
#include <cstdint>

#include "tensor/tensor.h"

namespace vitrail {

class Rng {
 public:
  explicit Rng(uint64_t seed, uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  uint64_t seed() const { return seed_; }
  uint64_t stream() const { return stream_; }
  // How many streams split() has returned. With seed and stream this is the whole state: save and restore it to resume.
  uint64_t splits() const { return splits_; }
  void set_splits(uint64_t splits) { splits_ = splits; }

  // The next generator with a stream of its own. Each parameter and each dropout call takes one.
  Rng split();
  // The generator of one key (an epoch, a sample, an op): at(a) and at(b) are unrelated for a != b; order does not matter.
  Rng at(uint64_t key) const;

  // Four random words: the raw output of Philox for counter (index, stream) under key seed.
  std::array<uint32_t, 4> block(uint64_t index) const;
  // Uniform in [0, 1), 53 bits.
  double uniform(uint64_t index) const;
  // Standard normal (Box-Muller).
  double normal(uint64_t index) const;
  // Uniform integer in [0, n); n >= 1. Unbiased to 2^-64 * n.
  uint64_t below(uint64_t index, uint64_t n) const;

 private:
  uint64_t seed_, stream_, splits_ = 0;
};

// The generator that dropout and drop_path modules draw from. Each thread has its own, Rng(0) at first, so that its numbers do
// not depend on other threads: seed it in every thread that trains.
Rng& default_rng();
// default_rng() = Rng(seed), of this thread.
void manual_seed(uint64_t seed);

// Element i is low + (high - low) * rng.uniform(i).
Tensor rand_uniform(const Shape& shape, double low, double high, const Rng& rng, Dtype dtype = Dtype::f32);
// Element i is mean + stddev * rng.normal(i).
Tensor rand_normal(const Shape& shape, double mean, double stddev, const Rng& rng, Dtype dtype = Dtype::f32);
// i64 values in [low, high).
Tensor rand_int(const Shape& shape, int64_t low, int64_t high, const Rng& rng);
// A random permutation of 0 .. n-1 as i64 [n] (Fisher-Yates).
Tensor rand_permutation(int64_t n, const Rng& rng);

}  // namespace vitrail
