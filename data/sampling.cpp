#include "data/sampling.h"

#include <map>
#include <utility>

#include "base/error.h"
#include "tensor/rng.h"
#include "tensor/tensor.h"

namespace vitrail {
namespace {

// Uses of the loader's seed, beside those of data/loader.cpp.
enum Stream : uint64_t { kOrderStream = 11, kClassStream = 15 };

std::vector<int64_t> permutation(int64_t n, const Rng& rng) { return to_vector<int64_t>(rand_permutation(n, rng)); }

}  // namespace

std::vector<int64_t> epoch_order(int64_t n, uint64_t seed, int64_t epoch) {
  check(n >= 0 && epoch >= 0, ErrorKind::kValue, "epoch_order", "n and epoch must not be negative: they are ", n, ", ", epoch);
  // LAB 5.6 BEGIN  a permutation() of n that is a function of seed (stream kOrderStream) and epoch alone
  return permutation(n, Rng(seed, kOrderStream).at(static_cast<uint64_t>(epoch)));
  // LAB 5.6 END
}

BalancedSampling::BalancedSampling(const std::vector<int64_t>& labels, uint64_t seed)
    : size_(static_cast<int64_t>(labels.size())), seed_(seed) {
  std::map<int64_t, std::vector<int64_t>> by_label;
  for (int64_t i = 0; i < size_; ++i) {
    check(labels[i] >= 0, ErrorKind::kValue, "balanced sampling", "every sample needs a class: sample ", i,
          " has none. Hint: sampling shuffled.");
    by_label[labels[i]].push_back(i);
  }
  for (auto& entry : by_label) classes_.push_back(std::move(entry.second));
}

// All positions of all epochs, one after another, are dealt to the classes in turn. So the t-th position belongs to class t mod
// K and is that class's draw number t / K, whatever the epochs in between: nothing has to be remembered.
SampleOrder BalancedSampling::order(int64_t epoch) const {
  const std::vector<int64_t> places = epoch_order(size_, seed_, epoch);
  const auto classes = static_cast<int64_t>(classes_.size());
  SampleOrder result{std::vector<int64_t>(places.size()), std::vector<int64_t>(places.size())};
  std::map<std::pair<int64_t, int64_t>, std::vector<int64_t>> permutations;  // by class and number
  std::vector<int64_t> shown(places.size(), 0);
  for (int64_t i = 0; i < size_; ++i) {
    const int64_t t = epoch * size_ + i, c = t % classes, draw = t / classes;
    const std::vector<int64_t>& members = classes_[c];
    const auto count = static_cast<int64_t>(members.size());
    std::vector<int64_t>& deal = permutations[{c, draw / count}];
    if (deal.empty())
      deal = permutation(count, Rng(seed_, kClassStream).at(static_cast<uint64_t>(c)).at(static_cast<uint64_t>(draw / count)));
    const int64_t sample = members[deal[draw % count]];
    result.samples[places[i]] = sample;
    result.showings[places[i]] = shown[sample]++;
  }
  return result;
}

}  // namespace vitrail
