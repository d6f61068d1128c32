#include "train/class_balance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace vitrail {

std::vector<int64_t> class_counts(const Dataset& data) {
  std::vector<int64_t> counts(static_cast<size_t>(data.num_classes()), 0);
  for (int64_t i = 0; i < data.size(); ++i) {
    const int64_t label = data.label(i);
    check(label >= 0 && label < data.num_classes(), ErrorKind::kData, "classes", "image ", i, " of ", data.name(), " has the label ",
          label, ", the set has ", data.num_classes(), " classes.");
    ++counts[label];
  }
  return counts;
}

std::vector<double> balanced_class_weights(const std::vector<int64_t>& counts) {
  const auto images = static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  const auto occurring = static_cast<double>(std::count_if(counts.begin(), counts.end(), [](int64_t n) { return n > 0; }));
  std::vector<double> weights;
  for (const int64_t n : counts) weights.push_back(n > 0 ? images / (occurring * static_cast<double>(n)) : 0);
  return weights;
}

double constant_loss(const std::vector<double>& parts, const std::vector<double>& weights, double label_smoothing) {
  double total = 0, entropy = 0;
  for (size_t c = 0; c < parts.size(); ++c) total += parts[c] * weights[c];
  if (total <= 0) return 0;
  for (size_t c = 0; c < parts.size(); ++c) {
    const double p =
        (1 - label_smoothing) * parts[c] * weights[c] / total + label_smoothing / static_cast<double>(parts.size());
    if (p > 0) entropy -= p * std::log(p);
  }
  return total * entropy;
}

}  // namespace vitrail
