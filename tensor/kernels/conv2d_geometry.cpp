// Sizes of a convolution, and the checks that make them safe to use.
#include <algorithm>

#include "base/divide.h"
#include "tensor/kernels/conv2d_detail.h"

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
  // Larger sizes are mistakes. Up to this bound no sum in this file overflows.
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

// The pixels of one axis of dx that have the same residue modulo the stride, and the kernel taps that read them.
struct GradientAxis {
  GatherAxis axis;
  std::vector<int64_t> taps;
};

// Output i read pixel x = i stride + tap dilation - padding, so pixel x gathers from i = (x + padding - tap dilation) / stride
// where that is whole.
std::vector<GradientAxis> gradient_axes(int64_t extent, int64_t out_extent, int64_t kernel, int64_t stride, int64_t padding,
                                        int64_t dilation) {
  std::vector<GradientAxis> result;
  for (int64_t start = 0; start < std::min(stride, extent); ++start) {
    GradientAxis a{{out_extent, ceil_div(extent - start, stride), 1, {}, extent, stride, start}, {}};
    for (int64_t tap = 0; tap < kernel; ++tap) {
      const int64_t distance = start + padding - tap * dilation;
      if (distance % stride != 0) continue;
      a.axis.offsets.push_back(distance / stride);
      a.taps.push_back(tap);
    }
    result.push_back(std::move(a));
  }
  return result;
}

// Output channels are planes, one after the other.
void set_planes(Gather& gather) {
  const int64_t plane = gather.h.out_extent * gather.w.out_extent;
  gather.out_group = gather.out_channels * plane;
  for (int64_t m = 0; m < gather.out_channels; ++m) gather.out_offsets.push_back(m * plane);
}

// If windows tile the image, every residue has one tap, and all residues read the same dy. So one product replaces many small
// ones; its output channels are the elements (c, p, q) of a window.
Gather patch_gradient_gather(const ConvGeometry& g) {
  const int64_t elements = g.group_channels * g.window(), plane = g.height * g.width;
  Gather result{g.batch, g.options.groups, g.group_out, elements, {}, {}, 0, 1, elements, {0}, g.group_channels * plane, {}};
  result.h = {g.out_h, g.out_h, 1, {0}, g.height, g.kernel_h, 0};
  result.w = {g.out_w, g.out_w, 1, {0}, g.width, g.kernel_w, 0};
  result.weight_group = g.group_out * elements;
  for (int64_t c = 0; c < g.group_channels; ++c) {
    for (int64_t p = 0; p < g.kernel_h; ++p) {
      for (int64_t q = 0; q < g.kernel_w; ++q) result.out_offsets.push_back(c * plane + p * g.width + q);
    }
  }
  return result;
}

}  // namespace

bool ConvGeometry::is_patches() const {
  const Conv2dOptions& o = options;
  return o.stride_h == kernel_h && o.stride_w == kernel_w && o.padding_h == 0 && o.padding_w == 0 &&
         (o.dilation_h == 1 || kernel_h == 1) && (o.dilation_w == 1 || kernel_w == 1);
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

Gather forward_gather(const ConvGeometry& g) {
  const Conv2dOptions& o = g.options;
  Gather result{g.batch, o.groups, g.group_channels, g.group_out, {}, {}, 0, 0, g.window(), {}, 0, {}};
  result.h = {g.height, g.out_h, o.stride_h, {}, g.out_h, 1, 0};
  result.w = {g.width, g.out_w, o.stride_w, {}, g.out_w, 1, 0};
  for (int64_t p = 0; p < g.kernel_h; ++p) result.h.offsets.push_back(p * o.dilation_h - o.padding_h);
  for (int64_t q = 0; q < g.kernel_w; ++q) result.w.offsets.push_back(q * o.dilation_w - o.padding_w);
  for (int64_t t = 0; t < g.window(); ++t) result.weight_taps.push_back(t);
  result.weight_out = g.group_channels * g.window();
  result.weight_group = g.group_out * result.weight_out;
  set_planes(result);
  return result;
}

std::vector<Gather> input_gradient_gathers(const ConvGeometry& g) {
  const Conv2dOptions& o = g.options;
  if (g.is_patches()) return {patch_gradient_gather(g)};
  const std::vector<GradientAxis> rows = gradient_axes(g.height, g.out_h, g.kernel_h, o.stride_h, o.padding_h, o.dilation_h);
  const std::vector<GradientAxis> columns = gradient_axes(g.width, g.out_w, g.kernel_w, o.stride_w, o.padding_w, o.dilation_w);
  std::vector<Gather> result;
  for (const GradientAxis& h : rows) {
    for (const GradientAxis& w : columns) {
      Gather gather{g.batch, o.groups, g.group_out, g.group_channels, h.axis, w.axis, 0, g.window(), 0, {}, 0, {}};
      for (const int64_t p : h.taps) {
        for (const int64_t q : w.taps) gather.weight_taps.push_back(p * g.kernel_w + q);
      }
      gather.weight_in = g.group_channels * g.window();
      gather.weight_group = g.group_out * gather.weight_in;
      set_planes(gather);
      if (gather.taps() > 0) result.push_back(std::move(gather));
    }
  }
  return result;
}

}  // namespace vitrail::detail
