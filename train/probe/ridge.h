// Ridge regression as a classifier, in closed form: the quickest linear probe, with nothing to tune.
#pragma once

#include <cstdint>
#include <vector>

#include "train/probe/head.h"

namespace vitrail {

// What leaving each picture out says of one penalty.
struct PenaltyScore {
  double penalty = 0;   // lambda / N
  double error = 0;     // mean over pictures and classes of the squared error
  double accuracy = 0;  // part of the pictures whose largest score is their class's
};

struct RidgeProbe {
  nn::LinearValues head;             // on the features as they are, f32 [K, D] and [K]; its logits are calibrated
  PenaltyScore chosen;               // the least error
  double log_loss = 0;               // leave-one-out, of the calibrated logits
  double scale = 1;                  // logits = scale * scores
  std::vector<PenaltyScore> scores;  // of every penalty, as given
};

// 1e-5 to 1e3, two a decade, in units of N.
std::vector<double> ridge_penalties();

// For each class k, (w_k, b_k) minimises sum_i (y_ik - w_k x_i - b_k)^2 + lambda |w_k|^2 with y_ik = 1 for pictures of the
// class and -1 for others. The error of leaving picture i out is known without fitting again: (y_ik - f_k(x_i)) / (1 - h_i),
// h_i the diagonal of the hat matrix (Allen, "PRESS", Technometrics 16, 1974; Golub, Heath and Wahba, Technometrics 21, 1979).
// One eigen-decomposition of the smaller of X^T X and X X^T gives it for every penalty. The features keep the scale that all
// pictures give them. Costs N min(N, D)^2 operations and memory for min(N, D)^2 + D min(N, D) doubles beside the features.
// Error(kValue) unless labels lie in [0, classes), are one a row, classes >= 2, and each penalty is above 0.
RidgeProbe fit_ridge(const StandardFeatures& features, const std::vector<int64_t>& labels, int64_t classes,
                     const std::vector<double>& penalties = ridge_penalties());

}  // namespace vitrail
