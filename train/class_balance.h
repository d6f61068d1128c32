// How the classes of a training set differ in size, and what that means for the loss.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.h"

namespace vitrail {

// n_c: the images of each class; of a multi-label set those that it is on. Error(kData) naming the first image whose label is
// no class of the set.
std::vector<int64_t> class_counts(const Dataset& data);

// w_c = N / (K n_c), where K of the classes occur: so that each of them counts alike, and the mean of the weights over the N images
// is 1 (scikit-learn's "balanced"). 0 for a class that does not occur.
std::vector<double> balanced_class_weights(const std::vector<int64_t>& counts);

// TrainConfig::class_weights in words: "none", "balanced" or its other name "auto", or weights by name.
bool is_balanced(const std::string& class_weights);
// "cat=2,dog=0.5": names and weights in their order; a comma or a backslash in a name stands behind a backslash, the weight
// behind the last =. Empty for the words above. Error(kValue) for anything else: a part without =, a weight that is no number
// of at least 0, a name twice.
std::vector<std::pair<std::string, double>> named_class_weights(const std::string& class_weights);
// One weight for each class of `names`, by the words above, with counts for balanced; classes that are not named weigh 1.
// Error(kValue) for a name that no class has, with the nearest, and if no class that occurs is left with a weight.
std::vector<double> class_weights_of(const std::string& class_weights, const std::vector<std::string>& names,
                                     const std::vector<int64_t>& counts);

// The least cross-entropy of an answer that is the same for every image: with p the classes' parts of what the loss sees,
// p_c ~ parts_c weights_c, and p' = (1 - s) p + s / C the smoothed targets, (sum_c parts_c weights_c) sum_c -p'_c ln p'_c. ln C where
// the classes are alike. parts: sum to 1; weights: of class_weights.
double constant_loss(const std::vector<double>& parts, const std::vector<double>& weights, double label_smoothing);

}  // namespace vitrail
