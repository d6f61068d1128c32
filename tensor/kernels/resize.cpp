#include "tensor/kernels/resize.h"

#include <algorithm>
#include <vector>

#include "tensor/machine/parallel.h"

namespace vitrail::detail {

template <class T>
void resize_columns(const AxisWeights& w, int64_t rows, const T* x, T* y) {
  parallel_for(rows, std::max<int64_t>(1, kElementwiseGrain / w.out), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      for (int64_t i = 0; i < w.out; ++i) {
        const double* weights = w.weights.data() + w.offset[i];
        const T* in = x + r * w.in + w.start[i];
        double sum = 0;
        for (int64_t k = 0; k < w.count[i]; ++k) sum += weights[k] * static_cast<double>(in[k]);
        y[r * w.out + i] = static_cast<T>(sum);
      }
    }
  });
}

// Parallel over the output rows.
template <class T>
void resize_rows(const AxisWeights& w, int64_t planes, int64_t width, const T* x, T* y) {
  parallel_for(planes * w.out, std::max<int64_t>(1, kElementwiseGrain / width), [&](int64_t begin, int64_t end) {
    std::vector<double> sum(width);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t i = item % w.out;
      const T* in = x + (item / w.out * w.in + w.start[i]) * width;
      std::fill(sum.begin(), sum.end(), 0.0);
      for (int64_t k = 0; k < w.count[i]; ++k) {
        const double weight = w.weights[w.offset[i] + k];
#pragma omp simd
        for (int64_t j = 0; j < width; ++j) sum[j] += weight * static_cast<double>(in[k * width + j]);
      }
      for (int64_t j = 0; j < width; ++j) y[item * width + j] = static_cast<T>(sum[j]);
    }
  });
}

#define VITRAIL_INSTANTIATE(T)                                             \
  template void resize_columns(const AxisWeights&, int64_t, const T*, T*); \
  template void resize_rows(const AxisWeights&, int64_t, int64_t, const T*, T*);
VITRAIL_INSTANTIATE(float)
VITRAIL_INSTANTIATE(double)
#undef VITRAIL_INSTANTIATE

}  // namespace vitrail::detail
