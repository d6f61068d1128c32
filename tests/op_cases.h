// The table of differentiable ops: gradcheck (tests/autograd, `vitrail opcheck`) runs over all of it.
// `make check-ops` fails if a function declared in autograd/ops/*.h has no row here.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace vitrail::testing {

using OpFunction = std::function<Variable(const std::vector<Variable>&)>;

// One sample set: what to call with which inputs (f64). Non-contiguous, broadcast, size-1, size-0 inputs among them.
struct OpSample {
  std::string label;  // "transposed", "size 0", ...
  std::vector<Variable> inputs;
  OpFunction fn;
};

// One op: its name as in autograd/ops.h, and at least six sample sets.
struct OpCase {
  std::string name;
  std::vector<OpSample> samples;
};

// All rows, made afresh (the inputs are new leaves on each call).
std::vector<OpCase> op_cases();

}  // namespace vitrail::testing
