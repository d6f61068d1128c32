#include "data/folds.h"

#include "tensor/rng.h"

namespace vitrail {

namespace {

// The part of each sample.
std::vector<int64_t> deal(const Dataset& whole, int64_t k, uint64_t seed) {
  const std::vector<std::vector<int64_t>> by_class = strata(whole);
  std::vector<int64_t> part(static_cast<size_t>(whole.size()));
  const Rng rng(seed);
  int64_t next = 0;
  for (size_t c = 0; c < by_class.size(); ++c) {
    const std::vector<int64_t>& members = by_class[c];
    const auto order = to_vector<int64_t>(rand_permutation(static_cast<int64_t>(members.size()), rng.at(c)));
    for (const int64_t i : order) {
      part[static_cast<size_t>(members[static_cast<size_t>(i)])] = next;
      next = (next + 1) % k;
    }
  }
  return part;
}

}  // namespace

std::vector<Fold> stratified_folds(const DatasetPtr& whole, int64_t k, uint64_t seed) {
  const int64_t size = given(whole, "k-fold").size();
  check(k >= 2 && k <= size, ErrorKind::kValue, "k-fold", "the number of folds must be from 2 to the number of images, ", size,
        ": it is ", k, ".");
  const std::vector<int64_t> part = deal(*whole, k, seed);
  std::vector<std::vector<int64_t>> inside(static_cast<size_t>(k)), outside(static_cast<size_t>(k));
  for (int64_t i = 0; i < size; ++i)
    for (int64_t p = 0; p < k; ++p) (part[static_cast<size_t>(i)] == p ? inside : outside)[static_cast<size_t>(p)].push_back(i);
  std::vector<Fold> folds;
  for (size_t p = 0; p < static_cast<size_t>(k); ++p)
    folds.push_back({std::make_shared<SubsetDataset>(whole, std::move(outside[p])),
                     std::make_shared<SubsetDataset>(whole, std::move(inside[p]))});
  return folds;
}

}  // namespace vitrail
