// The matrix of columns (im2col) and its transpose (col2im).
#include <algorithm>

#include "tensor/ops/conv2d_detail.h"

namespace vitrail::detail {
namespace {

// Pixel (0, 0) of the tile's first channel.
template <class T>
T* first_plane(const ConvGeometry& g, const ColumnTile& t, T* x) {
  return x + (t.image * g.channels + t.group * g.group_channels + t.channel) * g.plane();
}

// Calls fn(pixel, element) for each run of Q neighbouring pixels in each patch of the tile. The columns lie one after the
// other here, so that both sides of a run are contiguous.
template <class Fn>
void for_each_patch_run(const ConvGeometry& g, const ColumnTile& t, Fn&& fn) {
  const int64_t k = t.channels * g.window();
  for (int64_t i = 0; i < t.rows; ++i) {
    for (int64_t c = 0; c < t.channels; ++c) {
      for (int64_t p = 0; p < g.kernel_h; ++p) {
        const int64_t pixel = c * g.plane() + ((t.row + i) * g.kernel_h + p) * g.width;
        const int64_t element = i * g.out_w * k + (c * g.kernel_h + p) * g.kernel_w;
        for (int64_t j = 0; j < g.out_w; ++j) fn(pixel + j * g.kernel_w, element + j * k);
      }
    }
  }
}

// Calls fn(element, pixel, first, last) for each (c, p, q, i): the outputs [first, last) of row i read pixel[j * stride_w]
// counted from j = 0; those outside read padding. A row that lies in the padding has first = last = 0.
template <class Fn>
void for_each_column_run(const ConvGeometry& g, const ColumnTile& t, Fn&& fn) {
  const Conv2dOptions& o = g.options;
  int64_t element = 0;
  for (int64_t c = 0; c < t.channels; ++c) {
    for (int64_t p = 0; p < g.kernel_h; ++p) {
      for (int64_t q = 0; q < g.kernel_w; ++q) {
        const int64_t offset_w = q * o.dilation_w - o.padding_w;
        const Span span = valid_outputs(g.out_w, g.width, o.stride_w, offset_w);
        for (int64_t i = 0; i < t.rows; ++i, element += g.out_w) {
          const int64_t y = (t.row + i) * o.stride_h + p * o.dilation_h - o.padding_h;
          if (y < 0 || y >= g.height) {
            fn(element, int64_t{0}, int64_t{0}, int64_t{0});
          } else {
            fn(element, c * g.plane() + y * g.width + offset_w, span.first, span.last);
          }
        }
      }
    }
  }
}

template <class T>
MatrixView<T> columns_view(const ConvGeometry& g, const ColumnTile& t, T* data) {
  const int64_t k = t.channels * g.window(), columns = t.rows * g.out_w;
  if (g.is_pointwise()) return {data, k, columns, g.plane(), 1};
  if (g.is_patches()) return {data, k, columns, 1, k};
  return {data, k, columns, columns, 1};
}

}  // namespace

template <class T>
MatrixView<T> gradient_columns(const ConvGeometry& g, const ColumnTile& t, T* dx, std::vector<T>& buffer) {
  if (g.is_pointwise()) return columns_view(g, t, first_plane(g, t, dx) + t.row * g.width);
  buffer.resize(t.channels * g.window() * t.rows * g.out_w);
  return columns_view(g, t, buffer.data());
}

template <class T>
MatrixView<const T> unfold_columns(const ConvGeometry& g, const ColumnTile& t, const T* x, std::vector<T>& buffer) {
  const T* in = first_plane(g, t, x);
  if (g.is_pointwise()) return columns_view(g, t, in + t.row * g.width);
  buffer.resize(t.channels * g.window() * t.rows * g.out_w);
  T* out = buffer.data();
  if (g.is_patches()) {
    for_each_patch_run(g, t, [&](int64_t pixel, int64_t element) { std::copy_n(in + pixel, g.kernel_w, out + element); });
  } else {
    const int64_t stride = g.options.stride_w;
    for_each_column_run(g, t, [&](int64_t element, int64_t pixel, int64_t first, int64_t last) {
      T* row = out + element;
      std::fill(row, row + first, T{0});
      if (stride == 1) {
        std::copy_n(in + pixel + first, last - first, row + first);
      } else {
        for (int64_t j = first; j < last; ++j) row[j] = in[pixel + j * stride];
      }
      std::fill(row + last, row + g.out_w, T{0});
    });
  }
  return columns_view<const T>(g, t, out);
}

template <class T>
void fold_columns(const ConvGeometry& g, const ColumnTile& t, const std::vector<T>& buffer, T* dx) {
  if (g.is_pointwise()) return;
  T* out = first_plane(g, t, dx);
  const T* in = buffer.data();
  if (g.is_patches()) {  // no two patches share a pixel
    for_each_patch_run(g, t, [&](int64_t pixel, int64_t element) { std::copy_n(in + element, g.kernel_w, out + pixel); });
    return;
  }
  const int64_t stride = g.options.stride_w;
  for_each_column_run(g, t, [&](int64_t element, int64_t pixel, int64_t first, int64_t last) {
    for (int64_t j = first; j < last; ++j) out[pixel + j * stride] += in[element + j];
  });
}

#define VITRAIL_INSTANTIATE(T)                                                                                    \
  template MatrixView<T> gradient_columns(const ConvGeometry&, const ColumnTile&, T*, std::vector<T>&);           \
  template MatrixView<const T> unfold_columns(const ConvGeometry&, const ColumnTile&, const T*, std::vector<T>&); \
  template void fold_columns(const ConvGeometry&, const ColumnTile&, const std::vector<T>&, T*);
VITRAIL_INSTANTIATE(float)
VITRAIL_INSTANTIATE(double)
#undef VITRAIL_INSTANTIATE

}  // namespace vitrail::detail
