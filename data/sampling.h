// In which order an epoch shows the samples: a function of (seed, epoch) alone, without state.
#pragma once

#include <cstdint>
#include <vector>

namespace vitrail {

// A permutation of 0 .. n-1.
std::vector<int64_t> epoch_order(int64_t n, uint64_t seed, int64_t epoch);

// The samples of an epoch in their order.
struct SampleOrder {
  std::vector<int64_t> samples;
  // Numbers the showings of a sample in this epoch: 0, 1, ...; empty: none is shown twice.
  std::vector<int64_t> showings;
};

// As many samples as there are, of each class that occurs equally many (or one more, where the number of classes does not divide
// that of the samples; over the epochs each class has its turn). The samples of a class follow one another in random
// permutations that go on from epoch to epoch: within a class each is shown as often as any other, or once more. Pictures of a rare
// class are shown several times an epoch, those of a frequent one only in some epochs.
class BalancedSampling {
 public:
  // labels: the class of each sample. Error(kValue) naming the first without a class (a negative label).
  BalancedSampling(const std::vector<int64_t>& labels, uint64_t seed);
  SampleOrder order(int64_t epoch) const;

 private:
  int64_t size_;
  uint64_t seed_;
  std::vector<std::vector<int64_t>> classes_;  // the samples of each class that occurs, ascending
};

}  // namespace vitrail
