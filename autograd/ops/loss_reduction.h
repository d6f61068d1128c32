// How the elementwise losses become one number.
#pragma once

#include "autograd/ops.h"

namespace vitrail {

// Error(kShape) naming op unless both have one shape: broadcasting a target in silence is a classic mistake.
inline void check_same_shape(const char* op, const Variable& x, const Variable& target) {
  check(x.shape() == target.shape(), ErrorKind::kShape, op, "x and target need one shape: x is ", x.shape(), ", target is ",
        target.shape(), ". Hint: reshape the target.");
}

inline Variable reduced(const Variable& loss, Reduction reduction) {
  switch (reduction) {
    case Reduction::kMean: return mean(loss);
    case Reduction::kSum: return sum(loss);
    case Reduction::kNone: return loss;
  }
  return loss;
}

}  // namespace vitrail
