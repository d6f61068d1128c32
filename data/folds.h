// The cut of a data set for cross-validation.
#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"

namespace vitrail {

struct Fold {
  DatasetPtr train;  // everything else
  DatasetPtr test;   // the part that is left out
};

// k disjoint parts that together are the whole; fold i leaves out part i. Stratified: the members of each class, in an order
// drawn by seed, are dealt out one after another, and each class begins where the one before ended. So the sizes of a class
// differ by at most one between two parts, and so do the sizes of the parts. All sets keep the order of the whole. A class with
// fewer than k members is missing from some parts. A function of the labels, k and seed. Error(kValue) unless 2 <= k <= the
// number of samples.
std::vector<Fold> stratified_folds(const DatasetPtr& whole, int64_t k, uint64_t seed);

}  // namespace vitrail
