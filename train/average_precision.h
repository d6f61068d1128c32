// Average precision: how well scores put the pictures with a class in front of those without it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace vitrail {

// AP = sum over the distinct scores s, largest first, of (R_s - R_before) P_s, where P_s and R_s are precision and recall of
// "score >= s": pictures of equal scores count together, so their order does not matter, and nothing is interpolated
// (scikit-learn's average_precision_score). scores[i] belongs to positive[i]; NaN counts as the lowest score. None where there
// is no positive.
std::optional<double> average_precision(const std::vector<float>& scores, const std::vector<uint8_t>& positive);

}  // namespace vitrail
