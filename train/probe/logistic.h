// Multinomial logistic regression on features: the linear probe that maximises likelihood.
#pragma once

#include <cstdint>
#include <vector>

#include "train/probe/head.h"
#include "train/probe/lbfgs.h"

namespace vitrail {

struct LogisticOptions {
  // lambda, from strong to weak: each starts from the solution before it, and the search ends where the loss has risen twice.
  std::vector<double> penalties = {1, 0.1, 1e-2, 1e-3, 1e-4, 1e-5};
  int64_t folds = 5;
  int64_t most_for_choice = 5000;  // pictures that the penalty is chosen on, evenly spread
  LbfgsOptions solver{};
};

struct LogisticProbe {
  nn::LinearValues head;              // on the features as they are, f32 [K, D] and [K]
  double penalty = 0;                 // lambda of the final fit
  double log_loss = 0, accuracy = 0;  // of pictures that were held out, at this penalty
  int64_t iterations = 0;             // of the final fit
  bool converged = false;
};

// W [K, D] and b [K] that minimise mean_i cross_entropy(W x_i + b, label_i) + lambda / 2 |W|^2; the intercepts are free. The
// function is strictly convex in W: there is one solution. lambda is the one with the least log loss over stratified folds;
// where it is chosen on fewer pictures than there are, it is scaled by their number, so that the prior weighs the same against
// one picture. Error(kValue) unless labels lie in [0, classes), are one a row, and classes >= 2.
LogisticProbe fit_logistic(const StandardFeatures& features, const std::vector<int64_t>& labels, int64_t classes,
                           const LogisticOptions& options = {});

// The fit alone, on x f64 [N, D]: parameters [K, D + 1], the intercept last in each row.
LbfgsResult solve_logistic(const Tensor& x, const std::vector<int64_t>& labels, int64_t classes, double penalty,
                           std::vector<double> start, const LbfgsOptions& options);

}  // namespace vitrail
