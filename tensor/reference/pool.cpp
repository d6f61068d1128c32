#include "tensor/reference/pool.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/reference/elements.h"

namespace vitrail::reference {
namespace {

// Calls pixel(b, c, i, j) for every element of a tensor of this shape.
template <class Pixel>
void for_each_pixel(const Shape& shape, Pixel pixel) {
  for (int64_t b = 0; b < shape[0]; ++b) {
    for (int64_t c = 0; c < shape[1]; ++c) {
      for (int64_t i = 0; i < shape[2]; ++i) {
        for (int64_t j = 0; j < shape[3]; ++j) pixel(b, c, i, j);
      }
    }
  }
}

// The inputs [begin, end) of one axis that output i averages, and their number with padding.
struct Span {
  int64_t begin, end, padded;
};

// Window i of an average: it starts at i stride - padding and is cut off where the padding ends.
Span window(int64_t i, int64_t extent, int64_t kernel, int64_t stride, int64_t padding) {
  const int64_t start = i * stride - padding, stop = std::min(start + kernel, extent + padding);
  return {std::max<int64_t>(start, 0), std::min(stop, extent), stop - start};
}

// Cell i of `cells`: floor(i extent / cells) to ceil((i + 1) extent / cells).
Span cell(int64_t i, int64_t extent, int64_t cells) {
  const int64_t begin = i * extent / cells, end = ((i + 1) * extent + cells - 1) / cells;
  return {begin, end, end - begin};
}

// y(i, j) = sum of x over rows(i) and columns(j), divided by divisor(rows(i), columns(j))
template <class Rows, class Columns, class Divisor>
void average(const Tensor& x, Tensor& y, Rows rows, Columns columns, Divisor divisor) {
  dispatch_float("avg_pool2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto in = read<T>(x);
    const auto out = write<T>(y);
    for_each_pixel(y.shape(), [&](int64_t b, int64_t c, int64_t i, int64_t j) {
      const Span r = rows(i), s = columns(j);
      double sum = 0;
      for (int64_t p = r.begin; p < r.end; ++p) {
        for (int64_t q = s.begin; q < s.end; ++q) sum += static_cast<double>(in(b, c, p, q));
      }
      out(b, c, i, j) = static_cast<T>(sum / divisor(r, s));
    });
  });
}

// dx(p, q) = sum of dy(i, j) / divisor over all windows (i, j) that hold the pixel (p, q)
template <class Rows, class Columns, class Divisor>
void average_backward(const Tensor& dy, Tensor& dx, Rows rows, Columns columns, Divisor divisor) {
  dispatch_float("avg_pool2d", dx.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto g = read<T>(dy);
    const Tensor sums = zeros(dx.shape(), Dtype::f64);
    const auto sum = write<double>(sums);
    for_each_pixel(dy.shape(), [&](int64_t b, int64_t c, int64_t i, int64_t j) {
      const Span r = rows(i), s = columns(j);
      for (int64_t p = r.begin; p < r.end; ++p) {
        for (int64_t q = s.begin; q < s.end; ++q) sum(b, c, p, q) += static_cast<double>(g(b, c, i, j)) / divisor(r, s);
      }
    });
    copy_(dx, sums);
  });
}

double all(const Span& r, const Span& s) { return static_cast<double>(r.padded * s.padded); }
double inside(const Span& r, const Span& s) { return static_cast<double>((r.end - r.begin) * (s.end - s.begin)); }

}  // namespace

// y(i, j) = max over p, q of x(i stride + p dilation - padding, ...); the place of the first maximum, a NaN being the largest;
// {-inf, -1} if the window sees only padding
void max_pool2d(const Tensor& x, const Pool2dOptions& o, Tensor y, Tensor indices) {
  dispatch_float("max_pool2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto in = read<T>(x);
    for_each_pixel(y.shape(), [&](int64_t b, int64_t c, int64_t i, int64_t j) {
      T best = -std::numeric_limits<T>::infinity();
      int64_t place = -1;
      for (int64_t p = 0; p < o.kernel_h; ++p) {
        for (int64_t q = 0; q < o.kernel_w; ++q) {
          const int64_t row = i * o.stride_h + p * o.dilation_h - o.padding_h;
          const int64_t column = j * o.stride_w + q * o.dilation_w - o.padding_w;
          if (row < 0 || row >= x.size(2) || column < 0 || column >= x.size(3)) continue;
          const T value = in(b, c, row, column);
          if (place >= 0 && !(value > best) && !(std::isnan(value) && !std::isnan(best))) continue;
          best = value, place = row * x.size(3) + column;
        }
      }
      write<T>(y)(b, c, i, j) = best;
      write<int64_t>(indices)(b, c, i, j) = place;
    });
  });
}

// dx(place(i, j)) += dy(i, j)
void max_pool2d_backward(const Tensor& dy, const Tensor& indices, Tensor dx) {
  dispatch_float("max_pool2d", dx.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto g = read<T>(dy);
    const Tensor sums = zeros(dx.shape(), Dtype::f64);
    const auto sum = write<double>(sums);
    for_each_pixel(dy.shape(), [&](int64_t b, int64_t c, int64_t i, int64_t j) {
      const int64_t place = read<int64_t>(indices)(b, c, i, j), width = dx.size(3);
      if (place >= 0) sum(b, c, place / width, place % width) += static_cast<double>(g(b, c, i, j));
    });
    copy_(dx, sums);
  });
}

void avg_pool2d(const Tensor& x, const Pool2dOptions& o, Tensor y) {
  average(
      x, y, [&](int64_t i) { return window(i, x.size(2), o.kernel_h, o.stride_h, o.padding_h); },
      [&](int64_t j) { return window(j, x.size(3), o.kernel_w, o.stride_w, o.padding_w); }, o.count_include_pad ? all : inside);
}

void avg_pool2d_backward(const Tensor& dy, const Pool2dOptions& o, Tensor dx) {
  average_backward(
      dy, dx, [&](int64_t i) { return window(i, dx.size(2), o.kernel_h, o.stride_h, o.padding_h); },
      [&](int64_t j) { return window(j, dx.size(3), o.kernel_w, o.stride_w, o.padding_w); },
      o.count_include_pad ? all : inside);
}

void adaptive_avg_pool2d(const Tensor& x, Tensor y) {
  average(
      x, y, [&](int64_t i) { return cell(i, x.size(2), y.size(2)); }, [&](int64_t j) { return cell(j, x.size(3), y.size(3)); },
      all);
}

void adaptive_avg_pool2d_backward(const Tensor& dy, Tensor dx) {
  average_backward(
      dy, dx, [&](int64_t i) { return cell(i, dx.size(2), dy.size(2)); },
      [&](int64_t j) { return cell(j, dx.size(3), dy.size(3)); }, all);
}

}  // namespace vitrail::reference
