// ONNX operators on images [B, C, H, W]: convolution, pooling, resizing.
#include <cmath>

#include "base/file.h"
#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {
namespace {

struct Pads {
  int64_t top, left, bottom, right;
};

Pads pads_of(const Call& c) {
  const std::string automatic = c.attributes.text("auto_pad", "NOTSET");
  if (automatic != "NOTSET" && automatic != "VALID") throw Unsupported("auto_pad=" + escaped(automatic, 60));
  check(automatic == "NOTSET" || !c.attributes.given("pads"), ErrorKind::kData, "runop", "pads beside auto_pad=VALID");
  const auto p = c.attributes.integers("pads", 4, 0, kMaxStep, {0, 0, 0, 0});
  return {p[0], p[1], p[2], p[3]};
}

std::vector<int64_t> pair_of(const Call& c, const char* name, int64_t otherwise) {
  return c.attributes.integers(name, 2, 1, kMaxStep, {otherwise, otherwise});
}

const Variable& images(const Call& c) {
  if (c.in(0).dim() != 4) throw Unsupported("only two-dimensional images");
  return c.in(0);
}

Variable padded(const Variable& x, const Pads& p) { return pad(x, {0, 0, p.top, p.left}, {0, 0, p.bottom, p.right}); }

Outputs conv(const Call& c) {
  const Variable &x = images(c), &weight = c.of_rank(1, 4, 4);
  const Pads p = pads_of(c);
  const auto stride = pair_of(c, "strides", 1), dilation = pair_of(c, "dilations", 1);
  const auto kernel = c.attributes.integers("kernel_shape", 2, 0, kMaxStep, {weight.size(2), weight.size(3)});
  check(kernel[0] == weight.size(2) && kernel[1] == weight.size(3), ErrorKind::kData, "Conv", "kernel_shape is [", kernel[0],
        ", ", kernel[1], "], the weight is ", weight.shape());
  Conv2dOptions options{.stride_h = stride[0], .stride_w = stride[1]};
  options.dilation_h = dilation[0], options.dilation_w = dilation[1];
  options.groups = c.attributes.integer("group", 1, kMaxStep, 1);
  if (p.top == p.bottom && p.left == p.right) {
    options.padding_h = p.top, options.padding_w = p.left;
    return {conv2d(x, weight, c.optional(2), options)};
  }
  return {conv2d(padded(x, p), weight, c.optional(2), options)};  // ours pads both sides alike
}

Pool2dOptions pool_options(const Call& c) {
  images(c);
  check(c.attributes.given("kernel_shape"), ErrorKind::kData, "runop", "kernel_shape is missing");
  const auto kernel = pair_of(c, "kernel_shape", 1), stride = pair_of(c, "strides", 1), dilation = pair_of(c, "dilations", 1);
  const Pads p = pads_of(c);
  if (p.top != p.bottom || p.left != p.right) throw Unsupported("unequal padding");
  Pool2dOptions options;
  options.kernel_h = kernel[0], options.kernel_w = kernel[1];
  options.stride_h = stride[0], options.stride_w = stride[1];
  options.padding_h = p.top, options.padding_w = p.left;
  options.dilation_h = dilation[0], options.dilation_w = dilation[1];
  options.ceil_mode = c.attributes.flag("ceil_mode", false);
  return options;
}

Outputs max_pool(const Call& c) {
  c.attributes.flag("storage_order", false);  // of the indices only
  if (c.num_outputs > 1) throw Unsupported("indices");
  return {max_pool2d(c.in(0), pool_options(c))};
}

Outputs average_pool(const Call& c) {
  Pool2dOptions options = pool_options(c);
  options.count_include_pad = c.attributes.flag("count_include_pad", false);
  if (options.dilation_h != 1 || options.dilation_w != 1) throw Unsupported("dilated averages");
  const bool too_wide = 2 * options.padding_h > options.kernel_h || 2 * options.padding_w > options.kernel_w;
  if (!too_wide) return {avg_pool2d(c.in(0), options)};
  // Ours pads by at most half the kernel; where padding counts as zeros, padding first is the same.
  if (!options.count_include_pad || options.ceil_mode) throw Unsupported("padding beyond half the kernel");
  const Variable x = padded(c.in(0), {options.padding_h, options.padding_w, options.padding_h, options.padding_w});
  options.padding_h = options.padding_w = 0;
  return {avg_pool2d(x, options)};
}

// Over all axes but the first two.
Operator global_pool(Variable (*reduce)(const Variable&, const Axes&, bool)) {
  return {1, 1, {}, [reduce](const Call& c) -> Outputs {
            const Variable& x = c.of_rank(0, 3, kMaxDims);
            Axes axes;
            for (int i = 2; i < x.dim(); ++i) axes.push_back(i);
            return {reduce(x, axes, true)};
          }};
}

ResizeOptions resize_options(const Call& c) {
  const std::string mode = c.attributes.text("mode", "nearest"),
                    place = c.attributes.text("coordinate_transformation_mode", "half_pixel");
  ResizeOptions options;
  check(mode == "nearest" || mode == "linear" || mode == "cubic", ErrorKind::kData, "Resize",
        "mode is nearest, linear or cubic: it is ", escaped(mode, 60));
  options.mode = mode == "cubic" ? Interpolation::kBicubic : Interpolation::kBilinear;
  options.antialias = c.attributes.flag("antialias", false);
  options.align_corners = place == "align_corners";
  if (!options.align_corners && place != "half_pixel")
    throw Unsupported("coordinate_transformation_mode=" + escaped(place, 60));
  if (mode == "nearest") throw Unsupported("nearest by half pixels, rounding down at .5 (ours: floor, as PyTorch)");
  if (c.attributes.flag("exclude_outside", false)) throw Unsupported("exclude_outside");
  const double coefficient = c.attributes.number("cubic_coeff_a", -0.75);
  if (mode == "cubic" && coefficient != (options.antialias ? -0.5 : -0.75)) throw Unsupported("cubic_coeff_a");
  for (const char* name : {"axes", "keep_aspect_ratio_policy", "nearest_mode", "extrapolation_value"})
    if (c.attributes.given(name)) throw Unsupported(name);
  return options;
}

// To scale, the output grid must be that of the sizes, or the coordinates differ.
int64_t scaled_extent(int64_t extent, double scale) {
  const double result = static_cast<double>(extent) * scale;
  check(result >= 1 && result <= 0x1p30, ErrorKind::kData, "Resize", "a scale of ", scale, " for an extent of ", extent);
  if (result != std::floor(result)) throw Unsupported("scales that give no whole extent");
  return static_cast<int64_t>(result);
}

// Inputs: x, roi (for another coordinate mode), scales, sizes; exactly one of the last two, for all four axes.
Outputs resized(const Call& c) {
  const Variable& x = images(c);
  const ResizeOptions options = resize_options(c);
  const bool by_sizes = c.has(3) && c.in(3).numel() > 0, by_scales = c.has(2) && c.in(2).numel() > 0;
  check(by_sizes != by_scales, ErrorKind::kData, "Resize", "give either scales (input 2) or sizes (input 3)");
  if (by_sizes) {
    const auto sizes = c.integers(3, 4, 0, kMaxStep);
    check(sizes[0] == x.size(0) && sizes[1] == x.size(1), ErrorKind::kData, "Resize",
          "only the last two axes can change: ", x.shape(), " to [", sizes[0], ", ", sizes[1], ", ", sizes[2], ", ", sizes[3],
          "]");
    return {resize(x, sizes[2], sizes[3], options)};
  }
  check(c.of_rank(2, 1, 1).numel() == 4, ErrorKind::kData, "Resize", "input 2 must hold 4 scales: shape is ", c.in(2).shape());
  const auto scales = to_vector<double>(c.tensor(2));
  check(scales[0] == 1 && scales[1] == 1, ErrorKind::kData, "Resize", "only the last two axes can change: scales are ",
        scales[0], ", ", scales[1], ", ...");
  return {resize(x, scaled_extent(x.size(2), scales[2]), scaled_extent(x.size(3), scales[3]), options)};
}

}  // namespace

void add_images(Table& t) {
  t["Conv"] = {2, 3, {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}, conv};
  t["MaxPool"] = {1, 1, {"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"}, max_pool};
  t["AveragePool"] = {
      1, 1, {"auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"}, average_pool};
  t["GlobalAveragePool"] = global_pool(mean);
  t["GlobalMaxPool"] = global_pool(max);
  t["Resize"] = {1,
                 4,
                 {"antialias", "axes", "coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside",
                  "extrapolation_value", "keep_aspect_ratio_policy", "mode", "nearest_mode"},
                 resized,
                 11};
}

}  // namespace vitrail::onnx
