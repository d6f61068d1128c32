// Checks gradients: compares backward() with central differences in f64, with a random cotangent dy. (With a dy of ones, some
// wrong rules pass.)
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
  double max_error = 0;  // largest |analytic - numeric|
  double max_ratio = 0;  // largest |analytic - numeric| / (atol + rtol |numeric|); ok means <= 1
  std::string message;   // on failure: which input, which element, both values
};

// fn maps the inputs to an f64 output of any shape; the gradients of the inputs that require one are checked. fn gets copies of
// the inputs with the same strides; a Variable that is passed twice stays one Variable. Undefined inputs are passed on.
// Error(kValue) if an input to check is not f64, or if there is none.
GradcheckResult gradcheck(const std::function<Variable(const std::vector<Variable>&)>& fn, const std::vector<Variable>& inputs,
                          const GradcheckOptions& options = {});

}  // namespace vitrail
