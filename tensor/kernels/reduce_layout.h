// Any reduction as one over rows or over columns of matrices.
#pragma once

#include "tensor/ops/reduce.h"

namespace vitrail {

struct ReduceLayout {
  Tensor matrix;          // contiguous; reduce its rows [kept, reduced], or the columns of each [outer, reduced, inner]
  bool over_rows = true;  // true: each row gives one result
  Shape result;           // shape of the result

  int64_t outer() const { return over_rows ? 1 : matrix.size(0); }
  int64_t inner() const { return over_rows ? 1 : matrix.size(2); }
  int64_t kept() const { return over_rows ? matrix.size(0) : outer() * inner(); }
  int64_t reduced() const { return matrix.size(1); }
};

// Neighbouring axes of a contiguous tensor that are not its last are reduced in place, column by column (leading axes: one
// matrix); all else is brought into rows. Throws what normalize_axes throws. With rows_only, columns are brought into rows too.
ReduceLayout reduce_layout(const Tensor& x, const Axes& axes, bool keepdim, const char* op, bool rows_only = false);

// x with the axes that are reduced behind the others, each in their order: a view.
Tensor reduced_axes_last(const Tensor& x, const Axes& axes, const char* op);

}  // namespace vitrail
