// Are the gradients right? Central differences in f64 against backward(), with a random cotangent: a cotangent of ones lets
// wrong rules pass.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace vitrail {

struct GradcheckOptions {
  double eps = 1e-6;  // half the step of the central difference
  double atol = 1e-6;
  double rtol = 1e-4;
  uint64_t seed = 1;            // of the random cotangent
  int64_t max_elements = 4096;  // larger inputs are sampled (by seed) instead of checked element by element
};

struct GradcheckResult {
  bool ok = true;
  double max_error = 0;  // largest |analytic - numeric| / (atol + rtol |numeric|) * (atol + rtol |numeric|): the absolute error
  double max_ratio = 0;  // largest |analytic - numeric| / (atol + rtol |numeric|); ok means <= 1
  std::string message;   // on failure: which input, which element, both values
};

// fn maps the inputs (f64; those that require a gradient are checked) to any-shaped f64 output. Each input keeps its
// strides. Error(kValue) if an input is not f64.
GradcheckResult gradcheck(const std::function<Variable(const std::vector<Variable>&)>& fn, const std::vector<Variable>& inputs,
                          const GradcheckOptions& options = {});

}  // namespace vitrail
