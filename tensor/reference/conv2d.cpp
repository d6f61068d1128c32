#include "tensor/reference/conv2d.h"

#include "tensor/reference/elements.h"

namespace vitrail::reference {
namespace {

// Calls meet(b, o, i, j, channel, p, q, row, column) for every product in the sum: output pixel (i, j) of channel o of image b
// reads, through weight (o, channel % (C / groups), p, q), input pixel (row, column) of `channel`. Pixels of the padding are 0
// and left out.
template <class Meet>
void for_each_product(const Shape& x, const Shape& weight, const Shape& y, const Conv2dOptions& options, Meet meet) {
  const int64_t group_channels = weight[1], group_outputs = weight[0] / options.groups;
  for (int64_t b = 0; b < y[0]; ++b) {
    for (int64_t o = 0; o < y[1]; ++o) {
      for (int64_t i = 0; i < y[2]; ++i) {
        for (int64_t j = 0; j < y[3]; ++j) {
          for (int64_t c = 0; c < group_channels; ++c) {
            for (int64_t p = 0; p < weight[2]; ++p) {
              for (int64_t q = 0; q < weight[3]; ++q) {
                const int64_t row = i * options.stride_h + p * options.dilation_h - options.padding_h;
                const int64_t column = j * options.stride_w + q * options.dilation_w - options.padding_w;
                if (row < 0 || row >= x[2] || column < 0 || column >= x[3]) continue;
                meet(b, o, i, j, o / group_outputs * group_channels + c, p, q, row, column);
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace

// y(b, o, i, j) = bias(o) + sum over c, p, q of w(o, c, p, q) x(b, c, row, column)
void conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options, Tensor y) {
  dispatch_float("conv2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto in = read<T>(x), w = read<T>(weight);
    const Tensor sums = zeros(y.shape(), Dtype::f64);
    const auto sum = write<double>(sums);
    for (int64_t i = 0; bias.defined() && i < y.numel(); ++i) {
      sum[i] = static_cast<double>(read<T>(bias)(i / (y.size(2) * y.size(3)) % y.size(1)));
    }
    for_each_product(
        x.shape(), weight.shape(), y.shape(), options,
        [&](int64_t b, int64_t o, int64_t i, int64_t j, int64_t c, int64_t p, int64_t q, int64_t row, int64_t col) {
          sum(b, o, i, j) += static_cast<double>(w(o, c % weight.size(1), p, q)) * static_cast<double>(in(b, c, row, col));
        });
    copy_(y, sums);
  });
}

// dx(b, c, row, column) = sum of w(o, c, p, q) dy(b, o, i, j) over all outputs that read this pixel
void conv2d_backward_input(const Tensor& dy, const Tensor& weight, const Conv2dOptions& options, Tensor dx) {
  dispatch_float("conv2d", dx.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto g = read<T>(dy), w = read<T>(weight);
    const Tensor sums = zeros(dx.shape(), Dtype::f64);
    const auto sum = write<double>(sums);
    for_each_product(
        dx.shape(), weight.shape(), dy.shape(), options,
        [&](int64_t b, int64_t o, int64_t i, int64_t j, int64_t c, int64_t p, int64_t q, int64_t row, int64_t col) {
          sum(b, c, row, col) += static_cast<double>(w(o, c % weight.size(1), p, q)) * static_cast<double>(g(b, o, i, j));
        });
    copy_(dx, sums);
  });
}

// dw(o, c, p, q) = sum of dy(b, o, i, j) x(b, c, row, column) over all images and pixels
void conv2d_backward_weight(const Tensor& dy, const Tensor& x, const Conv2dOptions& options, Tensor dweight) {
  dispatch_float("conv2d", dweight.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto g = read<T>(dy), in = read<T>(x);
    const Tensor sums = zeros(dweight.shape(), Dtype::f64);
    const auto sum = write<double>(sums);
    for_each_product(
        x.shape(), dweight.shape(), dy.shape(), options,
        [&](int64_t b, int64_t o, int64_t i, int64_t j, int64_t c, int64_t p, int64_t q, int64_t row, int64_t col) {
          sum(o, c % dweight.size(1), p, q) += static_cast<double>(g(b, o, i, j)) * static_cast<double>(in(b, c, row, col));
        });
    copy_(dweight, sums);
  });
}

// db(o) = sum of dy(b, o, i, j) over images and pixels
void conv2d_backward_bias(const Tensor& dy, Tensor db) {
  dispatch_float("conv2d", db.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto g = read<T>(dy);
    const auto out = write<T>(db);
    for (int64_t o = 0; o < dy.size(1); ++o) {
      double sum = 0;
      for (int64_t b = 0; b < dy.size(0); ++b) {
        for (int64_t i = 0; i < dy.size(2); ++i) {
          for (int64_t j = 0; j < dy.size(3); ++j) sum += static_cast<double>(g(b, o, i, j));
        }
      }
      out(o) = static_cast<T>(sum);
    }
  });
}

}  // namespace vitrail::reference
