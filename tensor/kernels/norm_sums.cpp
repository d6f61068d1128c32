#include "tensor/kernels/norm_sums.h"

namespace vitrail::detail {

Tensor or_constant(const Tensor& t, int64_t length, double value, Dtype dtype) {
  return t.defined() ? contiguous(t) : full({length}, value, dtype);
}

Tensor combine_chunks(const std::vector<double>& partial, int64_t chunks, int64_t width, Dtype dtype) {
  Tensor result = empty({width}, dtype);
  dispatch_float("norm", dtype, [&](auto zero) {
    using T = decltype(zero);
    T* out = result.mutable_data<T>();
    parallel_for(width, row_grain(chunks), [&](int64_t begin, int64_t end) {
      std::vector<double> sum(end - begin, 0.0);
      for (int64_t c = 0; c < chunks; ++c) {
        const double* row = partial.data() + c * width + begin;
        for (int64_t i = 0; i < end - begin; ++i) sum[i] += row[i];
      }
      for (int64_t i = 0; i < end - begin; ++i) out[begin + i] = static_cast<T>(sum[i]);
    });
  });
  return result;
}

}  // namespace vitrail::detail
