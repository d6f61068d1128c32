// Batch normalisation, fast. One thread computes a channel from its sums to its gradient, so the order of additions does not
// depend on the number of threads.
#pragma once

#include "tensor/tensor.h"

namespace vitrail::kernels {

struct ChannelSizes {
  int64_t batch, channels, plane;
  int64_t count() const { return batch * plane; }  // elements of one channel
  int64_t at(int64_t b, int64_t c) const { return (b * channels + c) * plane; }
};

// The operation of tensor/ops/norm.h into tensors that exist already.
void batch_norm(const ChannelSizes& sizes, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, Tensor y,
                Tensor mean, Tensor var);
// Creates dweight and dbias if weight is defined.
void batch_norm_backward(const ChannelSizes& sizes, const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean,
                         const Tensor& var, double eps, Tensor dx, Tensor& dweight, Tensor& dbias);

}  // namespace vitrail::kernels
