#include "train/average_precision.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace vitrail {

std::optional<double> average_precision(const std::vector<float>& scores, const std::vector<uint8_t>& positive) {
  check(scores.size() == positive.size(), ErrorKind::kShape, "average_precision", "there are ", scores.size(), " scores for ",
        positive.size(), " pictures.");
  const auto all = std::count_if(positive.begin(), positive.end(), [](uint8_t p) { return p != 0; });
  if (all == 0) return std::nullopt;
  const auto value = [&](size_t i) { return std::isnan(scores[i]) ? -std::numeric_limits<float>::infinity() : scores[i]; };
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return value(a) > value(b); });
  double sum = 0;
  int64_t found = 0;
  for (size_t i = 0; i < order.size();) {
    int64_t here = 0;
    size_t end = i;
    for (; end < order.size() && value(order[end]) == value(order[i]); ++end) here += positive[order[end]] != 0;
    found += here;
    sum += static_cast<double>(here) * static_cast<double>(found) / static_cast<double>(end);
    i = end;
  }
  return sum / static_cast<double>(all);
}

}  // namespace vitrail
