// Turns any reduction into one over rows, or over columns, of matrices.
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

// If x is contiguous and the axes are neighbours that do not include the last one, they are reduced without a copy, as columns
// (a single matrix if they are the leading axes). Otherwise, or with rows_only, the elements of each result are copied into a
// row. Errors: those of normalize_axes.
ReduceLayout reduce_layout(const Tensor& x, const Axes& axes, bool keepdim, const char* op, bool rows_only = false);

// A view of x with the reduced axes last; both groups of axes keep their order.
Tensor reduced_axes_last(const Tensor& x, const Axes& axes, const char* op);

}  // namespace vitrail
