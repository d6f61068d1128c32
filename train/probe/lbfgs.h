// L-BFGS: the minimum of a smooth function of a few thousand numbers, from its values and gradients.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace vitrail {

struct LbfgsOptions {
  int64_t history = 10;  // pairs of steps and gradient differences
  int64_t most_iterations = 500;
  double tolerance = 1e-6;  // ends where the largest element of the gradient is no larger
};

struct LbfgsResult {
  std::vector<double> x;
  double value = 0, gradient = 0;  // there; the gradient's largest element
  int64_t iterations = 0, evaluations = 0;
  bool converged = false;
};

// The function's value at x; writes the gradient.
using Differentiable = std::function<double(const std::vector<double>& x, std::vector<double>& gradient)>;

// Two-loop recursion and scaling of Nocedal and Wright, "Numerical Optimization", 2nd ed., algorithms 7.4 and 7.5,
// equation 7.20; a step keeps the weak Wolfe conditions (c1 = 1e-4, c2 = 0.9), found by bisection (Lewis and Overton, Math.
// Program. 141, 2013, algorithm 2.6). Ends without convergence where no step improves the value any more, or after
// most_iterations. Error(kNumeric) if value or gradient at the start is not finite.
LbfgsResult minimise(const Differentiable& function, std::vector<double> start, const LbfgsOptions& options = {});

}  // namespace vitrail
