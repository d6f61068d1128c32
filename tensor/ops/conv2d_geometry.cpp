// Sizes of a convolution, and the checks that make them safe to use.
#include <algorithm>

#include "tensor/ops/conv2d_detail.h"

namespace vitrail::detail {
namespace {

void check_options(const char* op, const Conv2dOptions& o) {
  check(o.stride_h >= 1 && o.stride_w >= 1, ErrorKind::kValue, op, "strides must be at least 1: stride is ", o.stride_h, " x ",
        o.stride_w, ".");
  check(o.dilation_h >= 1 && o.dilation_w >= 1, ErrorKind::kValue, op, "dilations must be at least 1: dilation is ",
        o.dilation_h, " x ", o.dilation_w, ".");
  check(o.padding_h >= 0 && o.padding_w >= 0, ErrorKind::kValue, op, "padding must not be negative: padding is ", o.padding_h,
        " x ", o.padding_w, ".");
  check(o.groups >= 1, ErrorKind::kValue, op, "groups must be at least 1: groups is ", o.groups, ".");
  // Sizes beyond this are mistakes; below it, no sum here can overflow.
  constexpr int64_t kMost = int64_t{1} << 31;
  check(std::max({o.stride_h, o.stride_w, o.dilation_h, o.dilation_w, o.padding_h, o.padding_w}) < kMost, ErrorKind::kValue, op,
        "stride, padding and dilation must be below 2^31: stride is ", o.stride_h, " x ", o.stride_w, ", padding is ",
        o.padding_h, " x ", o.padding_w, ", dilation is ", o.dilation_h, " x ", o.dilation_w, ".");
}

// (extent + 2 padding - dilation (kernel - 1) - 1) / stride + 1; throws if the kernel does not fit.
int64_t output_extent(const char* op, const char* axis, int64_t extent, int64_t kernel, int64_t stride, int64_t padding,
                      int64_t dilation) {
  int64_t reach = 0;
  const bool fits = !__builtin_mul_overflow(dilation, kernel - 1, &reach) && reach < extent + 2 * padding;
  check(fits, ErrorKind::kShape, op, "kernel larger than padded input: ", axis, " is ", extent, " + 2 x ", padding,
        " padding, kernel is ", kernel, " with dilation ", dilation, " (needs ", dilation, " x ", kernel - 1, " + 1).");
  return (extent + 2 * padding - reach - 1) / stride + 1;
}

}  // namespace

bool ConvGeometry::is_pointwise() const {
  const Conv2dOptions& o = options;
  return window() == 1 && o.stride_h == 1 && o.stride_w == 1 && o.padding_h == 0 && o.padding_w == 0;
}

bool ConvGeometry::is_patches() const {
  const Conv2dOptions& o = options;
  return o.stride_h == kernel_h && o.stride_w == kernel_w && o.padding_h == 0 && o.padding_w == 0 && o.dilation_h == 1 &&
         o.dilation_w == 1;
}

ConvGeometry conv_geometry(const char* op, const Shape& x, const Shape& weight, const Conv2dOptions& o) {
  check_options(op, o);
  check(x.size() == 4 && weight.size() == 4, ErrorKind::kShape, op,
        "needs x [B, C, H, W] and weight [O, C / groups, P, Q]: x is ", x, ", weight is ", weight, ".");
  check(weight[2] >= 1 && weight[3] >= 1, ErrorKind::kShape, op, "the kernel is empty: weight is ", weight, ".");
  check(x[1] % o.groups == 0 && weight[0] % o.groups == 0, ErrorKind::kValue, op,
        "groups must divide the input and output channels: groups is ", o.groups, ", x is ", x, " (C = ", x[1], "), weight is ",
        weight, " (O = ", weight[0], ").");
  check(weight[1] == x[1] / o.groups, ErrorKind::kShape, op, "channels differ: x is ", x, ", weight is ", weight,
        ", groups is ", o.groups, " (", x[1], " / ", o.groups, " = ", x[1] / o.groups, " vs ", weight[1],
        "). Hint: weight is [O, C / groups, P, Q].");
  ConvGeometry g{};
  g.batch = x[0], g.channels = x[1], g.height = x[2], g.width = x[3];
  g.out_channels = weight[0], g.kernel_h = weight[2], g.kernel_w = weight[3];
  g.out_h = output_extent(op, "height", x[2], weight[2], o.stride_h, o.padding_h, o.dilation_h);
  g.out_w = output_extent(op, "width", x[3], weight[3], o.stride_w, o.padding_w, o.dilation_w);
  g.group_channels = weight[1], g.group_out = weight[0] / o.groups;
  g.options = o;
  return g;
}

int64_t rows_per_tile(const ConvGeometry& g) {
  const int64_t k = std::max<int64_t>(g.group_channels * g.window(), 1);
  const int64_t columns = std::clamp<int64_t>((int64_t{1} << 17) / k, 128, 1024);
  const int64_t most = std::clamp<int64_t>(columns / g.out_w, 1, g.out_h);
  const int64_t tiles = (g.out_h + most - 1) / most;
  return (g.out_h + tiles - 1) / tiles;  // equal tiles
}

int64_t channels_per_block(const ConvGeometry& g) {
  return std::clamp<int64_t>(256 / g.window(), 1, std::max<int64_t>(g.group_channels, 1));
}

Span valid_outputs(int64_t out_extent, int64_t extent, int64_t stride, int64_t offset) {
  const int64_t first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  const int64_t last = offset >= extent ? 0 : (extent - 1 - offset) / stride + 1;
  const int64_t begin = std::min(first, out_extent);
  return {begin, std::clamp(last, begin, out_extent)};
}

}  // namespace vitrail::detail
