// One factor that makes scores into logits: the temperature of a classifier.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

// The factor b > 0 for which softmax(b scores) has the least log loss against the labels: 1 / temperature of Guo et al.,
// arXiv:1706.04599, section 4.2. The loss is convex in b; its slope is bisected between 1e-3 and 1e3. The wanted probability of
// the right class is (n + 1) / (n + K) and of each other one 1 / (n + K) (Platt, "Probabilistic outputs for support vector
// machines", 1999, section 2.2), so that n scores without a mistake do not ask for certainty. Scores f64 [n, K] should be of
// pictures that the classifier was not fitted on. Of many rows 5,000 are taken, evenly spread. Error(kShape) unless there is a
// label a row.
double calibrated_scale(const Tensor& scores, const std::vector<int64_t>& labels);

// The mean of -log softmax(scale scores)[label], and the part of rows whose largest score is the label's (of equal ones the
// first).
struct ScoreQuality {
  double log_loss = 0, accuracy = 0;
};
ScoreQuality quality_of(const Tensor& scores, const std::vector<int64_t>& labels, double scale = 1);

}  // namespace vitrail
