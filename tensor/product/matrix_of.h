// Tensors as matrices.
#pragma once

#include "tensor/product/matrix_view.h"
#include "tensor/product/operand.h"
#include "tensor/view.h"

namespace vitrail::detail {

// x [..., D] as [rows, D]: a view where the strides allow it, else a copy.
inline Tensor as_matrix(const Tensor& x) {
  Shape lead = x.shape();
  lead.erase(lead.size() - 1);
  return reshape(x, {checked_numel(lead), x.size(-1)});
}

// The matrix of the last two axes of x that starts `offset` elements after the first element of x.
template <class T>
MatrixView<const T> view_of(const Tensor& x, int64_t offset = 0) {
  return {x.data<T>() + offset, x.size(-2), x.size(-1), x.stride(-2), x.stride(-1)};
}
template <class T>
MatrixView<T> output_view(Tensor& x) {
  return {x.mutable_data<T>(), x.size(-2), x.size(-1), x.stride(-2), x.stride(-1)};
}

// x [rows, cols], f32 or bf16, as an operand.
inline Operand operand_of(const Tensor& x) {
  if (x.dtype() == Dtype::bf16) return view_of<Bf16>(x);
  return view_of<float>(x);
}

}  // namespace vitrail::detail
