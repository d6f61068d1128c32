// conv2d: a product of the weights with the matrix of columns, tile by tile; direct loops where a group has one channel.
#include <algorithm>

#include "tensor/ops/conv2d_detail.h"
#include "tensor/ops/norm_detail.h"
#include "tensor/parallel.h"

namespace vitrail {
namespace {

using detail::ColumnTile;
using detail::ConvGeometry;

void check_same_dtype(const char* op, const char* name, const Tensor& t, Dtype dtype) {
  check(t.dtype() == dtype, ErrorKind::kValue, op, "dtypes differ: ", name, " is ", name_of(t.dtype()), ", the rest is ",
        name_of(dtype), ". Hint: convert with to().");
}

// The weights [O, C / groups, P, Q] of one group and a block of its channels as a matrix [O / groups, channels P Q].
template <class T>
MatrixView<T> weight_block(const ConvGeometry& g, const ColumnTile& t, T* weight) {
  const int64_t k = g.group_channels * g.window();
  return {weight + t.group * g.group_out * k + t.channel * g.window(), g.group_out, t.channels * g.window(), k, 1};
}

// Items are (image, group, tile of output rows).
template <class T>
void forward(const ConvGeometry& g, const T* x, const T* weight, const T* bias, T* y) {
  const int64_t rows = detail::rows_per_tile(g), tiles = (g.out_h + rows - 1) / rows;
  parallel_for(g.batch * g.options.groups * tiles, 1, [&](int64_t begin, int64_t end) {
    std::vector<T> buffer;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t row = item % tiles * rows, group = item / tiles % g.options.groups;
      const ColumnTile t{item / tiles / g.options.groups, group, row, std::min(rows, g.out_h - row), 0, g.group_channels};
      const MatrixView<T> out = detail::output_tile(g, t, y);
      for (int64_t o = 0; bias && o < out.rows; ++o) {
        std::fill_n(out.data + o * out.row_stride, out.cols, bias[group * g.group_out + o]);
      }
      gemm_serial<T>(1, weight_block(g, t, weight), detail::unfold_columns(g, t, x, buffer), bias ? T{1} : T{0}, out);
    }
  });
}

// dcolumns = W^T dy. Items are (image, group, block of input channels): no two items write the same pixel.
template <class T>
void backward_input(const ConvGeometry& g, const T* dy, const T* weight, T* dx) {
  const int64_t channels = detail::channels_per_block(g), blocks = (g.group_channels + channels - 1) / channels;
  const int64_t rows = detail::rows_per_tile(g), groups = g.options.groups;
  parallel_for(g.batch * groups * blocks, 1, [&](int64_t begin, int64_t end) {
    std::vector<T> buffer;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t channel = item % blocks * channels;
      ColumnTile t{
          item / blocks / groups, item / blocks % groups, 0, rows, channel, std::min(channels, g.group_channels - channel)};
      for (; t.row < g.out_h; t.row += rows) {
        t.rows = std::min(rows, g.out_h - t.row);
        gemm_serial<T>(1, weight_block(g, t, weight).transposed(), detail::output_tile(g, t, dy), 0,
                       detail::gradient_columns(g, t, dx, buffer));
        detail::fold_columns(g, t, buffer, dx);
      }
    }
  });
}

// dweight = dy columns^T, summed over images: at most eight chunks of images, each with its own sum. Items are (chunk of
// images, group, block of input channels).
template <class T>
void backward_weight(const ConvGeometry& g, const T* dy, const T* x, T* dweight) {
  const int64_t channels = detail::channels_per_block(g), blocks = (g.group_channels + channels - 1) / channels;
  const int64_t rows = detail::rows_per_tile(g), groups = g.options.groups;
  const int64_t length = (g.batch + 7) / 8, chunks = g.batch == 0 ? 0 : (g.batch + length - 1) / length;
  const int64_t size = g.out_channels * g.group_channels * g.window();
  std::vector<T> partial(chunks * size);
  parallel_for(chunks * groups * blocks, 1, [&](int64_t begin, int64_t end) {
    std::vector<T> buffer;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t channel = item % blocks * channels, chunk = item / blocks / groups;
      ColumnTile t{0, item / blocks % groups, 0, rows, channel, std::min(channels, g.group_channels - channel)};
      for (t.image = chunk * length; t.image < std::min(g.batch, (chunk + 1) * length); ++t.image) {
        for (t.row = 0; t.row < g.out_h; t.row += rows) {
          t.rows = std::min(rows, g.out_h - t.row);
          gemm_serial<T>(1, detail::output_tile(g, t, dy), detail::unfold_columns(g, t, x, buffer).transposed(), 1,
                         weight_block(g, t, partial.data() + chunk * size));
        }
      }
    }
  });
  parallel_for(size, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      double sum = 0;
      for (int64_t c = 0; c < chunks; ++c) sum += partial[c * size + i];
      dweight[i] = static_cast<T>(sum);
    }
  });
}

void check_gradient(const char* op, const Tensor& dy, const ConvGeometry& g) {
  check(dy.shape() == g.out_shape(), ErrorKind::kShape, op, "dy must have the shape of the output: dy is ", dy.shape(),
        ", the output is ", g.out_shape(), ".");
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options) {
  const ConvGeometry g = detail::conv_geometry("conv2d", x.shape(), weight.shape(), options);
  check_same_dtype("conv2d", "weight", weight, x.dtype());
  if (bias.defined()) {
    check(bias.shape() == Shape{g.out_channels}, ErrorKind::kShape, "conv2d", "bias must be [", g.out_channels, "]: weight is ",
          weight.shape(), ", bias is ", bias.shape(), ".");
    check_same_dtype("conv2d", "bias", bias, x.dtype());
  }
  Tensor y = empty(g.out_shape(), x.dtype(), "conv2d");
  dispatch_float("conv2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (y.numel() == 0) return;
    const Tensor xc = contiguous(x), wc = contiguous(weight), bc = bias.defined() ? contiguous(bias) : Tensor{};
    const T* b = bc.defined() ? bc.data<T>() : nullptr;
    if (g.is_depthwise()) {
      detail::depthwise_forward(g, xc.data<T>(), wc.data<T>(), b, y.mutable_data<T>());
    } else {
      forward(g, xc.data<T>(), wc.data<T>(), b, y.mutable_data<T>());
    }
  });
  return y;
}

Tensor conv2d_backward_input(const Tensor& dy, const Tensor& weight, const Shape& x_shape, const Conv2dOptions& options) {
  const ConvGeometry g = detail::conv_geometry("conv2d_backward_input", x_shape, weight.shape(), options);
  check_gradient("conv2d_backward_input", dy, g);
  check_same_dtype("conv2d_backward_input", "weight", weight, dy.dtype());
  Tensor dx = zeros(x_shape, dy.dtype());
  dispatch_float("conv2d_backward_input", dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (dx.numel() == 0 || dy.numel() == 0) return;
    const Tensor dyc = contiguous(dy), wc = contiguous(weight);
    if (g.is_depthwise()) {
      detail::depthwise_backward_input(g, dyc.data<T>(), wc.data<T>(), dx.mutable_data<T>());
    } else {
      backward_input(g, dyc.data<T>(), wc.data<T>(), dx.mutable_data<T>());
    }
  });
  return dx;
}

Tensor conv2d_backward_weight(const Tensor& dy, const Tensor& x, const Shape& weight_shape, const Conv2dOptions& options) {
  const ConvGeometry g = detail::conv_geometry("conv2d_backward_weight", x.shape(), weight_shape, options);
  check_gradient("conv2d_backward_weight", dy, g);
  check_same_dtype("conv2d_backward_weight", "x", x, dy.dtype());
  Tensor dweight = zeros(weight_shape, dy.dtype());
  dispatch_float("conv2d_backward_weight", dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (dweight.numel() == 0 || dy.numel() == 0) return;
    const Tensor dyc = contiguous(dy), xc = contiguous(x);
    if (g.is_depthwise()) {
      detail::depthwise_backward_weight(g, dyc.data<T>(), xc.data<T>(), dweight.mutable_data<T>());
    } else {
      backward_weight(g, dyc.data<T>(), xc.data<T>(), dweight.mutable_data<T>());
    }
  });
  return dweight;
}

Tensor conv2d_backward_bias(const Tensor& dy) {
  check(dy.dim() == 4, ErrorKind::kShape, "conv2d_backward_bias", "needs dy [B, O, H, W]: dy is ", dy.shape(), ".");
  const int64_t batch = dy.size(0), channels = dy.size(1), plane = checked_numel({dy.size(2), dy.size(3)});
  Tensor db = empty({channels}, dy.dtype());
  dispatch_float("conv2d_backward_bias", dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor dyc = contiguous(dy);
    const T* in = dyc.data<T>();
    T* out = db.mutable_data<T>();
    parallel_for(channels, std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(batch * plane, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t o = begin; o < end; ++o) {
                     double sum = 0;
                     for (int64_t b = 0; b < batch; ++b)
                       sum += detail::sum_deviations(in + (b * channels + o) * plane, plane, 0);
                     out[o] = static_cast<T>(sum);
                   }
                 });
  });
  return db;
}

}  // namespace vitrail
