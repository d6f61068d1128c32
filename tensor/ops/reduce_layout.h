// Any reduction as one over rows or over columns of a matrix.
#pragma once

#include "tensor/ops/reduce.h"

namespace vitrail {

struct ReduceLayout {
  Tensor matrix;          // contiguous; reduce its rows [kept, reduced] or its columns [reduced, kept]
  bool over_rows = true;  // true: each row gives one result
  Shape result;           // shape of the result

  int64_t kept() const { return matrix.size(over_rows ? 0 : 1); }
  int64_t reduced() const { return matrix.size(over_rows ? 1 : 0); }
};

// Leading axes of a contiguous tensor are reduced in place, column by column; all else is brought into rows. Throws what
// normalize_axes throws. With rows_only, columns are brought into rows too.
ReduceLayout reduce_layout(const Tensor& x, const Axes& axes, bool keepdim, const char* op, bool rows_only = false);

}  // namespace vitrail
