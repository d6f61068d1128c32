// Sizes of a pooling, and the checks that make them safe to use.
#include "tensor/kernels/pool_detail.h"

namespace vitrail::detail {
namespace {

void check_options(const char* op, const Pool2dOptions& o) {
  constexpr int64_t kMost = int64_t{1} << 31;  // below it, no sum or product of two sizes overflows
  const auto in_range = [](int64_t a, int64_t b) { return a >= 1 && b >= 1 && a < kMost && b < kMost; };
  check(in_range(o.kernel_h, o.kernel_w), ErrorKind::kValue, op, "kernels must be at least 1: kernel is ", o.kernel_h, " x ",
        o.kernel_w, ".");
  check(in_range(o.stride_h, o.stride_w), ErrorKind::kValue, op, "strides must be at least 1: stride is ", o.stride_h, " x ",
        o.stride_w, ".");
  check(in_range(o.dilation_h, o.dilation_w), ErrorKind::kValue, op, "dilations must be at least 1: dilation is ", o.dilation_h,
        " x ", o.dilation_w, ".");
  check(o.padding_h >= 0 && o.padding_w >= 0 && o.padding_h <= o.kernel_h / 2 && o.padding_w <= o.kernel_w / 2,
        ErrorKind::kValue, op, "padding must be between 0 and half the kernel: padding is ", o.padding_h, " x ", o.padding_w,
        ", kernel is ", o.kernel_h, " x ", o.kernel_w, ".");
}

int64_t output_extent(const char* op, const char* axis, int64_t extent, int64_t kernel, int64_t stride, int64_t padding,
                      int64_t dilation, bool ceil_mode) {
  const int64_t reach = dilation * (kernel - 1) + 1, room = extent + 2 * padding - reach;
  const int64_t up = room + (ceil_mode ? stride - 1 : 0);
  int64_t out = (up >= 0 ? up / stride : -((-up + stride - 1) / stride)) + 1;  // the quotient rounded down
  if (ceil_mode && (out - 1) * stride >= extent + padding) --out;
  check(out >= 1, ErrorKind::kShape, op, "kernel larger than padded input: ", axis, " is ", extent, " + 2 x ", padding,
        " padding, kernel is ", kernel, " with dilation ", dilation, " (needs ", reach, ").",
        ceil_mode ? "" : " Hint: ceil_mode lets the last window run over the border.");
  return out;
}

}  // namespace

PoolGeometry pool_geometry(const char* op, const Shape& x, const Pool2dOptions& o) {
  check_options(op, o);
  check(x.size() == 4, ErrorKind::kShape, op, "needs x [B, C, H, W]: x is ", x, ".");
  check(x[2] >= 1 && x[3] >= 1, ErrorKind::kShape, op, "the images are empty: x is ", x, ".");
  return {checked_numel({x[0], x[1]}, op), x[2], x[3],
          output_extent(op, "height", x[2], o.kernel_h, o.stride_h, o.padding_h, o.dilation_h, o.ceil_mode),
          output_extent(op, "width", x[3], o.kernel_w, o.stride_w, o.padding_w, o.dilation_w, o.ceil_mode)};
}

void check_pool_gradient(const char* op, const Shape& dy, const Shape& x, const PoolGeometry& g) {
  const Shape wanted{x[0], x[1], g.out_h, g.out_w};
  check(dy == wanted, ErrorKind::kShape, op, "dy must have the shape of the output: dy is ", dy, ", the output is ", wanted,
        ".");
}

}  // namespace vitrail::detail
