#include "tensor/ops/dropout.h"

#include <algorithm>
#include <cmath>

#include "tensor/machine/parallel.h"

namespace vitrail {
namespace {

// Elements with a random word below this are dropped: P(u < threshold) = p, exact to 2^-32.
uint64_t drop_threshold(double p) { return static_cast<uint64_t>(std::llround(std::ldexp(p, 32))); }

// mask[0, n): 1 with probability 1 - p; each Philox block gives four elements.
void fill_mask(uint8_t* mask, int64_t n, double p, const Rng& rng) {
  const uint64_t threshold = drop_threshold(p);
  // LAB 4.6 BEGIN  mask[i] = 1 if word i % 4 of rng.block(i / 4) is at least threshold, else 0. A plain loop will do.
  parallel_for((n + 3) / 4, kElementwiseGrain / 8, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const auto words = rng.block(static_cast<uint64_t>(block));
      const int64_t count = std::min<int64_t>(4, n - block * 4);
      for (int64_t k = 0; k < count; ++k) mask[block * 4 + k] = words[k] >= threshold;
    }
  });
  // LAB 4.6 END
}

// out_i = mask_i ? x_i / (1 - p) : 0
template <class T>
void apply_mask(const T* x, const uint8_t* mask, double p, int64_t n, T* out) {
  // LAB 4.6 BEGIN  x_i / (1 - p) where the mask is 1, else 0, also if x_i is NaN. A plain loop will do.
  const auto scale = static_cast<T>(1 / (1 - p));
  parallel_for(n, kElementwiseGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out[i] = mask[i] ? x[i] * scale : T{0};
  });
  // LAB 4.6 END
}

Tensor masked(const Tensor& x, const Tensor& mask, double p) {
  const Tensor source = contiguous(x);
  Tensor out = empty(x.shape(), x.dtype(), "dropout");
  dispatch_float("dropout", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    apply_mask(source.data<T>(), mask.data<uint8_t>(), p, x.numel(), out.mutable_data<T>());
  });
  return out;
}

}  // namespace

void check_drop_probability(const char* op, double p) {
  check(p >= 0 && p < 1, ErrorKind::kValue, op, "the drop probability must lie in [0, 1): p is ", p,
        ". Hint: p is the share to drop, not the share to keep.");
}

DropoutResult dropout_forward(const Tensor& x, double p, const Rng& rng) {
  check_drop_probability("dropout", p);
  Tensor mask = empty(x.shape(), Dtype::u8, "dropout");
  fill_mask(mask.mutable_data<uint8_t>(), x.numel(), p, rng);
  return {masked(x, mask, p), mask};
}

Tensor dropout_backward(const Tensor& dy, const Tensor& mask, double p) { return masked(dy, mask, p); }

Tensor drop_path_factors(const Tensor& x, double p, const Rng& rng) {
  check_drop_probability("drop_path", p);
  check(x.dim() >= 1, ErrorKind::kShape, "drop_path", "axis 0 must hold the samples: x is ", x.shape());
  Shape shape = x.shape();
  for (int axis = 1; axis < shape.size(); ++axis) shape[axis] = 1;
  Tensor kept = empty(shape, Dtype::u8, "drop_path");
  fill_mask(kept.mutable_data<uint8_t>(), shape[0], p, rng);
  return masked(ones(shape, x.dtype()), kept, p);
}

}  // namespace vitrail
