// Copying between any strides and dtypes.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::reference {

// dst_i = src_i, converted to dst's dtype as base/convert.h says; equal shapes.
void copy(Tensor dst, const Tensor& src);
// dst_i += alpha src_i; equal shapes and float dtypes.
void add(Tensor dst, const Tensor& src, double alpha);

}  // namespace vitrail::reference
