// Depthwise convolution: every group has one input channel, so there is nothing to multiply matrices for.
#include <algorithm>

#include "tensor/ops/conv2d_detail.h"
#include "tensor/parallel.h"

namespace vitrail::detail {
namespace {

// Calls fn(tap, output, pixel, count) for each kernel tap and output row: `count` outputs starting at `output` meet the pixels
// pixel, pixel + stride_w, ... of the plane under weight `tap`.
template <class Fn>
void for_each_run(const ConvGeometry& g, Fn&& fn) {
  const Conv2dOptions& o = g.options;
  for (int64_t p = 0; p < g.kernel_h; ++p) {
    const int64_t offset_h = p * o.dilation_h - o.padding_h;
    const Span rows = valid_outputs(g.out_h, g.height, o.stride_h, offset_h);
    for (int64_t q = 0; q < g.kernel_w; ++q) {
      const int64_t offset_w = q * o.dilation_w - o.padding_w;
      const Span columns = valid_outputs(g.out_w, g.width, o.stride_w, offset_w);
      for (int64_t i = rows.first; i < rows.last; ++i) {
        fn(p * g.kernel_w + q, i * g.out_w + columns.first,
           (i * o.stride_h + offset_h) * g.width + columns.first * o.stride_w + offset_w, columns.last - columns.first);
      }
    }
  }
}

int64_t plane_grain(const ConvGeometry& g) {
  return std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(g.out_plane() * g.window(), 1));
}

}  // namespace

template <class T>
void depthwise_forward(const ConvGeometry& g, const T* x, const T* weight, const T* bias, T* y) {
  parallel_for(g.batch * g.out_channels, plane_grain(g), [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t o = item % g.out_channels, b = item / g.out_channels, stride = g.options.stride_w;
      const T* in = x + (b * g.channels + o / g.group_out) * g.plane();
      const T* w = weight + o * g.window();
      T* out = y + item * g.out_plane();
      std::fill_n(out, g.out_plane(), bias ? bias[o] : T{0});
      for_each_run(g, [&](int64_t tap, int64_t output, int64_t pixel, int64_t count) {
        const T factor = w[tap];
        if (stride == 1) {
#pragma omp simd
          for (int64_t j = 0; j < count; ++j) out[output + j] += factor * in[pixel + j];
        } else {
          for (int64_t j = 0; j < count; ++j) out[output + j] += factor * in[pixel + j * stride];
        }
      });
    }
  });
}

template <class T>
void depthwise_backward_input(const ConvGeometry& g, const T* dy, const T* weight, T* dx) {
  parallel_for(g.batch * g.channels, plane_grain(g), [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t c = item % g.channels, b = item / g.channels, stride = g.options.stride_w;
      T* out = dx + item * g.plane();
      for (int64_t o = c * g.group_out; o < (c + 1) * g.group_out; ++o) {
        const T* in = dy + (b * g.out_channels + o) * g.out_plane();
        const T* w = weight + o * g.window();
        for_each_run(g, [&](int64_t tap, int64_t output, int64_t pixel, int64_t count) {
          const T factor = w[tap];
          if (stride == 1) {
#pragma omp simd
            for (int64_t j = 0; j < count; ++j) out[pixel + j] += factor * in[output + j];
          } else {
            for (int64_t j = 0; j < count; ++j) out[pixel + j * stride] += factor * in[output + j];
          }
        });
      }
    }
  });
}

template <class T>
void depthwise_backward_weight(const ConvGeometry& g, const T* dy, const T* x, T* dweight) {
  parallel_for(g.out_channels, 1, [&](int64_t begin, int64_t end) {
    std::vector<double> sums(g.window());
    for (int64_t o = begin; o < end; ++o) {
      std::fill(sums.begin(), sums.end(), 0.0);
      for (int64_t b = 0; b < g.batch; ++b) {
        const T* in = x + (b * g.channels + o / g.group_out) * g.plane();
        const T* out = dy + (b * g.out_channels + o) * g.out_plane();
        for_each_run(g, [&](int64_t tap, int64_t output, int64_t pixel, int64_t count) {
          const int64_t stride = g.options.stride_w;
          double sum = 0;
#pragma omp simd reduction(+ : sum)
          for (int64_t j = 0; j < count; ++j) {
            sum += static_cast<double>(out[output + j]) * static_cast<double>(in[pixel + j * stride]);
          }
          sums[tap] += sum;
        });
      }
      for (int64_t k = 0; k < g.window(); ++k) dweight[o * g.window() + k] = static_cast<T>(sums[k]);
    }
  });
}

#define VITRAIL_INSTANTIATE(T)                                                            \
  template void depthwise_forward(const ConvGeometry&, const T*, const T*, const T*, T*); \
  template void depthwise_backward_input(const ConvGeometry&, const T*, const T*, T*);    \
  template void depthwise_backward_weight(const ConvGeometry&, const T*, const T*, T*);
VITRAIL_INSTANTIATE(float)
VITRAIL_INSTANTIATE(double)
#undef VITRAIL_INSTANTIATE

}  // namespace vitrail::detail
