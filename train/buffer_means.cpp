#include "train/buffer_means.h"

#include "tensor/ops.h"
#include "train/ranks/gradient_sum.h"

namespace vitrail {

BufferMeans::BufferMeans(nn::Module& module) : before_(module) {
  for (const nn::NamedBuffer& entry : module.named_buffers())
    if (entry.buffer->defined() && is_float(entry.buffer->dtype())) buffers_.push_back(entry.buffer);
}

void BufferMeans::after_group() {
  for (const Tensor* buffer : buffers_) {
    const Tensor now = contiguous(to(*buffer, Dtype::f64));
    values_.insert(values_.end(), now.data<double>(), now.data<double>() + now.numel());
  }
}

void BufferMeans::finish(int64_t groups, GradientSum* ranks) {
  if (ranks && !buffers_.empty()) values_ = ranks->all_groups(values_);
  size_t begin = 0;
  const size_t stride = values_.size() / static_cast<size_t>(groups);
  for (Tensor* buffer : buffers_) {
    Tensor mean = zeros(buffer->shape(), Dtype::f64);
    double* const p = mean.mutable_data<double>();
    const auto n = static_cast<size_t>(mean.numel());
    for (size_t i = 0; i < n; ++i) {
      double sum = values_[begin + i];
      for (size_t at = begin + i + stride; at < values_.size(); at += stride) sum += values_[at];
      p[i] = sum * (1.0 / static_cast<double>(groups));
    }
    *buffer = to(mean, buffer->dtype());
    begin += n;
  }
  before_.release();
}

}  // namespace vitrail
