#include "tensor/kernels/pool_max.h"

#include <cmath>
#include <limits>

namespace vitrail::detail {
namespace {

template <class T>
struct Maximum {
  T value;
  int64_t index;
};

// The first maximum of the window whose first element, padding included, is (top, left).
template <class T>
Maximum<T> window_maximum(const PoolGeometry& g, const Pool2dOptions& o, const T* x, int64_t top, int64_t left) {
  Maximum<T> best{-std::numeric_limits<T>::infinity(), -1};
  for (int64_t p = 0; p < o.kernel_h; ++p) {
    const int64_t row = top + p * o.dilation_h;
    if (row < 0 || row >= g.height) continue;
    for (int64_t q = 0; q < o.kernel_w; ++q) {
      const int64_t column = left + q * o.dilation_w;
      if (column < 0 || column >= g.width) continue;
      const T value = x[row * g.width + column];
      const bool larger = best.index < 0 || value > best.value || (std::isnan(value) && !std::isnan(best.value));
      if (larger) best = {value, row * g.width + column};
    }
  }
  return best;
}

}  // namespace

template <class T>
void max_pool(const PoolGeometry& g, const Pool2dOptions& o, const T* x, T* y, int64_t* index) {
  parallel_for(g.planes, g.grain(), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      int64_t out = n * g.out_plane();
      for (int64_t i = 0; i < g.out_h; ++i) {
        for (int64_t j = 0; j < g.out_w; ++j, ++out) {
          const auto best = window_maximum(g, o, x + n * g.plane(), i * o.stride_h - o.padding_h, j * o.stride_w - o.padding_w);
          y[out] = best.value;
          index[out] = best.index;
        }
      }
    }
  });
}

template <class T>
void max_pool_backward(int64_t planes, int64_t out_plane, int64_t plane, const T* dy, const int64_t* index, T* dx) {
  parallel_for(planes, std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(out_plane, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t n = begin; n < end; ++n) {
                   for (int64_t i = n * out_plane; i < (n + 1) * out_plane; ++i) {
                     check(index[i] >= -1 && index[i] < plane, ErrorKind::kValue, "max_pool2d_backward",
                           "index outside the image: index is ", index[i], ", H W is ", plane, ".");
                     if (index[i] >= 0) dx[n * plane + index[i]] += dy[i];
                   }
                 }
               });
}

#define VITRAIL_INSTANTIATE(T)                                                               \
  template void max_pool(const PoolGeometry&, const Pool2dOptions&, const T*, T*, int64_t*); \
  template void max_pool_backward(int64_t, int64_t, int64_t, const T*, const int64_t*, T*);
VITRAIL_INSTANTIATE(float)
VITRAIL_INSTANTIATE(double)
#undef VITRAIL_INSTANTIATE

}  // namespace vitrail::detail
