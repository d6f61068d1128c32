// Sorting, the k best, and running sums along an axis: all by rows, with the axis moved to the end first.
#include <algorithm>
#include <numeric>

#include "tensor/machine/parallel.h"
#include "tensor/ops/indexing.h"
#include "tensor/ops/reduce.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

struct Rows {
  Tensor matrix;  // contiguous [count, length]
  Shape shape;    // of the tensor with the axis at the end; a scalar is treated as [1]
  bool is_scalar = false;
  int axis = 0;
};

Rows rows_along(const Tensor& x, int axis, const char* op) {
  Rows rows;
  rows.axis = normalize_axis(axis, x.dim(), op);
  const Tensor moved = x.dim() == 0 ? reshape(x, {1}) : contiguous(transpose(x, rows.axis, -1));
  rows.is_scalar = x.dim() == 0;
  rows.shape = moved.shape();
  Shape lead = rows.shape;
  lead.erase(lead.size() - 1);
  rows.matrix = reshape(moved, {checked_numel(lead), rows.shape.back()});
  return rows;
}

// [count, k] back to the shape of x with extent k on the axis.
Tensor restored(const Tensor& matrix, const Rows& rows) {
  Shape shape = rows.shape;
  shape.back() = matrix.size(1);
  if (rows.is_scalar && matrix.numel() == 1) return reshape(matrix, {});
  return contiguous(transpose(reshape(matrix, shape), rows.axis, -1));
}

// The order of one row; equal elements keep theirs, NaN comes last.
template <class T>
void order_row(const T* x, int64_t n, bool descending, std::vector<int64_t>& order) {
  order.resize(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [x, descending](int64_t a, int64_t b) {
    const bool a_nan = x[a] != x[a], b_nan = x[b] != x[b];
    if (a_nan || b_nan) return !a_nan && b_nan;
    return descending ? x[a] > x[b] : x[a] < x[b];
  });
}

// {values, indices} of the first k of each sorted row.
std::pair<Tensor, Tensor> sorted_rows(const Rows& rows, int64_t k, bool descending) {
  const int64_t n = rows.matrix.size(1), count = rows.matrix.size(0);
  Tensor values = empty({count, k}, rows.matrix.dtype(), "sort"), indices = empty({count, k}, Dtype::i64, "sort");
  if (values.numel() == 0) return {restored(values, rows), restored(indices, rows)};  // there may be any number of empty rows
  dispatch(rows.matrix.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* in = rows.matrix.data<T>();
    T* best = values.mutable_data<T>();
    int64_t* place = indices.mutable_data<int64_t>();
    parallel_for(k == 0 ? 0 : count, std::max<int64_t>(1, 2048 / std::max<int64_t>(n, 1)), [&](int64_t begin, int64_t end) {
      std::vector<int64_t> order;
      for (int64_t i = begin; i < end; ++i) {
        order_row(in + i * n, n, descending, order);
        for (int64_t j = 0; j < k; ++j) place[i * k + j] = order[j], best[i * k + j] = in[i * n + order[j]];
      }
    });
  });
  return {restored(values, rows), restored(indices, rows)};
}

}  // namespace

std::pair<Tensor, Tensor> sort(const Tensor& x, int axis, bool descending) {
  const Rows rows = rows_along(x, axis, "sort");
  return sorted_rows(rows, rows.matrix.size(1), descending);
}

std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int axis, bool largest) {
  const Rows rows = rows_along(x, axis, "topk");
  check(k >= 0 && k <= rows.matrix.size(1), ErrorKind::kValue, "topk", "k must lie between 0 and the extent: k is ", k,
        ", axis ", rows.axis, " of ", x.shape(), " is ", rows.matrix.size(1));
  return sorted_rows(rows, k, largest);
}

Tensor cumsum(const Tensor& x, int axis) {
  const Rows rows = rows_along(x, axis, "cumsum");
  const int64_t n = rows.matrix.size(1);
  Tensor out = empty(rows.matrix.shape(), is_float(x.dtype()) ? x.dtype() : Dtype::i64, "cumsum");
  if (out.numel() == 0) return restored(out, rows);
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using A = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;
    using Out = std::conditional_t<std::is_integral_v<T>, int64_t, T>;
    const T* in = rows.matrix.data<T>();
    Out* result = out.mutable_data<Out>();
    parallel_for(n == 0 ? 0 : rows.matrix.size(0), std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(n, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     A total = 0;
                     for (int64_t j = 0; j < n; ++j)
                       result[i * n + j] = static_cast<Out>(total += static_cast<A>(in[i * n + j]));
                   }
                 });
  });
  return restored(out, rows);
}

}  // namespace vitrail
