// Group normalisation, fast: the channels of one group of one image are contiguous, so its statistics are those of a row.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::kernels {

struct GroupSizes {
  int64_t batch, channels, plane, groups, group_channels;
  int64_t row() const { return group_channels * plane; }  // elements with one mean
};

// The operation of tensor/ops/norm.h into tensors that exist already.
void group_norm(const GroupSizes& sizes, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, Tensor y,
                Tensor mean, Tensor rstd);
// Creates dweight and dbias if weight is defined.
void group_norm_backward(const GroupSizes& sizes, const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean,
                         const Tensor& rstd, Tensor dx, Tensor& dweight, Tensor& dbias);

}  // namespace vitrail::kernels
