#include "tensor/ops/matmul.h"

#include <algorithm>

#include "tensor/machine/parallel.h"
#include "tensor/plain.h"
#include "tensor/product/gemm.h"
#include "tensor/product/matrix_of.h"
#include "tensor/reference/matmul.h"

namespace vitrail {
namespace {

using detail::as_matrix, detail::output_view, detail::view_of;

Shape batch_shape(const Tensor& x) {
  Shape shape = x.shape();
  shape.erase(shape.size() - 1);
  shape.erase(shape.size() - 1);
  return shape;
}

Shape with_matrix(Shape batch, int64_t rows, int64_t cols) {
  batch.push_back(rows);
  batch.push_back(cols);
  return batch;
}

// Offset in elements of batch number i under the given strides.
int64_t batch_offset(int64_t i, const Shape& batch, const Shape& strides) {
  int64_t offset = 0;
  for (int axis = batch.size() - 1; axis >= 0; --axis) {
    offset += i % batch[axis] * strides[axis];
    i /= batch[axis];
  }
  return offset;
}

// Both of rank >= 2 with equal batch axes (expanded ones have stride 0).
template <class T>
void batched_product(const Tensor& a, const Tensor& b, Tensor& c) {
  const Shape batch = batch_shape(c);
  const int64_t count = checked_numel(batch), size = c.size(-2) * c.size(-1);
  T* out = c.mutable_data<T>();
  const auto product = [&](int64_t i, auto&& multiply) {
    const MatrixView<T> result{out + i * size, c.size(-2), c.size(-1), c.size(-1), 1};
    multiply(view_of<T>(a, batch_offset(i, batch, a.strides())), view_of<T>(b, batch_offset(i, batch, b.strides())),
             result);
  };
  if (count < 4) {  // few large products: each one runs in parallel
    for (int64_t i = 0; i < count; ++i) product(i, [](auto x, auto y, auto z) { gemm<T>(1, x, y, 0, z); });
    return;
  }
  const int64_t work = std::max<int64_t>(1, size * a.size(-1));
  parallel_for(count, std::max<int64_t>(1, (int64_t{1} << 17) / work), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) product(i, [](auto x, auto y, auto z) { gemm_serial<T>(1, x, y, 0, z); });
  });
}

void check_matmul(const Tensor& a, const Tensor& b) {
  check(a.dtype() == b.dtype(), ErrorKind::kValue, "matmul", "dtypes differ: a is ", name_of(a.dtype()), ", b is ",
        name_of(b.dtype()));
  check(a.dim() >= 1 && b.dim() >= 1, ErrorKind::kShape, "matmul", "scalars have no matrix product: a is ", a.shape(),
        ", b is ", b.shape(), ". Hint: use mul.");
  const int64_t k = a.size(-1), rows = b.dim() == 1 ? b.size(0) : b.size(-2);
  check(k == rows, ErrorKind::kShape, "matmul", "inner dimensions differ: a is ", a.shape(), ", b is ", b.shape(), " (", k,
        " vs ", rows, "). Hint: weights are [out, in]; use linear() or transpose b.");
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  check_matmul(a, b);
  if (a.dim() == 1) return squeeze(matmul(unsqueeze(a, 0), b), b.dim() == 1 ? 0 : -2);
  if (b.dim() == 1) return squeeze(matmul(a, unsqueeze(b, 1)), -1);
  const Shape batch = broadcast_shapes(batch_shape(a), batch_shape(b), "matmul");
  Tensor c = empty(with_matrix(batch, a.size(-2), b.size(-1)), a.dtype(), "matmul");
  const bool plain = runs_plain(PlainOp::kMatmul);
  if (c.numel() == 0) return c;
  if (!plain && b.dim() == 2 && a.is_contiguous()) {  // the same right operand for the whole batch: one large product
    Tensor flat = reshape(c, {c.numel() / c.size(-1), c.size(-1)});
    dispatch_float("matmul", a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      gemm<T>(1, view_of<T>(as_matrix(a)), view_of<T>(b), 0, output_view<T>(flat));
    });
    return c;
  }
  const Tensor x = expand(a, with_matrix(batch, a.size(-2), a.size(-1)));
  const Tensor y = expand(b, with_matrix(batch, b.size(-2), b.size(-1)));
  if (plain) {
    reference::matmul(x, y, c);
    return c;
  }
  dispatch_float("matmul", a.dtype(), [&](auto zero) { batched_product<decltype(zero)>(x, y, c); });
  return c;
}

}  // namespace vitrail
