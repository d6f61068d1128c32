// ONNX operators of neural networks: products, normalisation, convolution, pooling, resizing.
#include <cmath>

#include "tensor/view.h"
#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {
namespace {

int axis_of(const Call& c, int64_t otherwise, int rank) {
  const int64_t axis = c.attributes.integer("axis", otherwise);
  check(axis >= -kMaxDims && axis < kMaxDims, ErrorKind::kData, "runop", "axis ", axis, " is out of range");
  return normalize_axis(static_cast<int>(axis), rank, "runop");
}

// alpha A' B' + beta C
Outputs gemm(const Call& c) {
  const Variable a = c.attributes.integer("transA", 0) ? transpose(c.in(0)) : c.in(0);
  const Variable b = c.attributes.integer("transB", 0) ? transpose(c.in(1)) : c.in(1);
  Variable y = matmul(a, b) * c.attributes.number("alpha", 1);
  if (c.has(2)) y = y + c.in(2) * c.attributes.number("beta", 1);
  return {y};
}

// [lead..., rest...] -> [lead, product of rest]: normalisation from an axis on, as ours over one last axis.
Variable joined(const Variable& x, int axis) {
  Shape shape;
  int64_t rest = 1;
  for (int i = 0; i < x.dim(); ++i) i < axis ? shape.push_back(x.size(i)) : void(rest *= x.size(i));
  shape.push_back(rest);
  return reshape(x, shape);
}

Variable joined_or_none(const Variable& x) { return x.defined() ? reshape(x, {x.numel()}) : x; }

Outputs layer_normalization(const Call& c) {
  const Variable& x = c.in(0);
  const int axis = axis_of(c, -1, x.dim());
  const double eps = c.attributes.number("epsilon", 1e-5);
  const Variable rows = joined(x, axis);
  Outputs out{reshape(layer_norm(rows, joined_or_none(c.in(1)), joined_or_none(c.optional(2)), eps), x.shape())};
  Shape shape = x.shape();
  for (int i = axis; i < x.dim(); ++i) shape[i] = 1;
  out.push_back(reshape(mean(rows, {-1}, true), shape));
  out.push_back(reshape(rsqrt(var(rows, {-1}, true, 0) + eps), shape));
  return out;
}

Outputs rms_normalization(const Call& c) {
  const Variable& x = c.in(0);
  const Variable rows = joined(x, axis_of(c, -1, x.dim()));
  return {reshape(rms_norm(rows, joined_or_none(c.in(1)), c.attributes.number("epsilon", 1e-5)), x.shape())};
}

Outputs batch_normalization(const Call& c) {
  const bool training = c.attributes.integer("training_mode", 0) != 0;
  const double eps = c.attributes.number("epsilon", 1e-5), momentum = 1 - c.attributes.number("momentum", 0.9);
  const Tensor running_mean = clone(c.tensor(3)), running_var = clone(c.tensor(4));
  Variable y = batch_norm(c.in(0), c.in(1), c.in(2), running_mean, running_var, training, momentum, eps);
  if (!training) return {y};
  // ONNX moves its running variance by the biased one, we (as PyTorch) by the unbiased: undo that factor.
  const double n = static_cast<double>(c.in(0).numel() / c.in(0).size(1));
  const Tensor old_part = mul(c.tensor(4), 1 - momentum);
  const Tensor biased = add(old_part, mul(sub(running_var, old_part), (n - 1) / n));
  return {y, Variable(running_mean), Variable(biased)};
}

Outputs group_normalization(const Call& c) {
  return {group_norm(c.in(0), c.attributes.integer("num_groups", 1), c.in(1), c.in(2), c.attributes.number("epsilon", 1e-5))};
}

Outputs instance_normalization(const Call& c) {
  return {group_norm(c.in(0), c.in(0).size(1), c.in(1), c.in(2), c.attributes.number("epsilon", 1e-5))};
}

// {begin_h, begin_w, end_h, end_w}
std::vector<int64_t> pads_of(const Call& c) {
  if (c.attributes.text("auto_pad", "NOTSET") != "NOTSET") throw Unsupported("auto_pad");
  return c.attributes.integers("pads", {0, 0, 0, 0});
}

void require_images(const Call& c) {
  if (c.in(0).dim() != 4) throw Unsupported("only two-dimensional images");
}

Outputs conv(const Call& c) {
  require_images(c);
  const auto strides = c.attributes.integers("strides", {1, 1}), dilations = c.attributes.integers("dilations", {1, 1}),
             p = pads_of(c);
  // Unequal padding is padding first, and none in the convolution.
  const Variable x = pad(c.in(0), {0, 0, p.at(0), p.at(1)}, {0, 0, p.at(2), p.at(3)});
  Conv2dOptions options{.stride_h = strides.at(0), .stride_w = strides.at(1)};
  options.dilation_h = dilations.at(0), options.dilation_w = dilations.at(1);
  options.groups = c.attributes.integer("group", 1);
  return {conv2d(x, c.in(1), c.optional(2), options)};
}

Pool2dOptions pool_options(const Call& c) {
  require_images(c);
  const auto kernel = c.attributes.integers("kernel_shape", {1, 1}), strides = c.attributes.integers("strides", {1, 1});
  const auto dilations = c.attributes.integers("dilations", {1, 1}), p = pads_of(c);
  if (p.at(0) != p.at(2) || p.at(1) != p.at(3)) throw Unsupported("unequal padding");
  Pool2dOptions options;
  options.kernel_h = kernel.at(0), options.kernel_w = kernel.at(1);
  options.stride_h = strides.at(0), options.stride_w = strides.at(1);
  options.padding_h = p.at(0), options.padding_w = p.at(1);
  options.dilation_h = dilations.at(0), options.dilation_w = dilations.at(1);
  options.ceil_mode = c.attributes.integer("ceil_mode", 0) != 0;
  options.count_include_pad = c.attributes.integer("count_include_pad", 0) != 0;
  return options;
}

Outputs max_pool(const Call& c) {
  if (c.num_outputs > 1) throw Unsupported("indices in column-major order");
  return {max_pool2d(c.in(0), pool_options(c))};
}

Outputs average_pool(const Call& c) {
  Pool2dOptions options = pool_options(c);
  if (options.dilation_h != 1 || options.dilation_w != 1) throw Unsupported("dilated averages");
  const bool too_wide = 2 * options.padding_h > options.kernel_h || 2 * options.padding_w > options.kernel_w;
  if (!too_wide) return {avg_pool2d(c.in(0), options)};
  // Ours pads by at most half the kernel; where padding counts as zeros, padding first is the same.
  if (!options.count_include_pad || options.ceil_mode) throw Unsupported("padding beyond half the kernel");
  const Variable x = pad(c.in(0), {0, 0, options.padding_h, options.padding_w}, {0, 0, options.padding_h, options.padding_w});
  options.padding_h = options.padding_w = 0;
  return {avg_pool2d(x, options)};
}

ResizeOptions resize_options(const Call& c) {
  const std::string mode = c.attributes.text("mode", "nearest"),
                    place = c.attributes.text("coordinate_transformation_mode", "half_pixel");
  ResizeOptions options;
  options.mode = mode == "cubic"    ? Interpolation::kBicubic
                 : mode == "linear" ? Interpolation::kBilinear
                                    : Interpolation::kNearest;
  options.antialias = c.attributes.integer("antialias", 0) != 0;
  options.align_corners = place == "align_corners";
  if (!options.align_corners && place != "half_pixel") throw Unsupported("coordinate_transformation_mode=" + place);
  if (options.mode == Interpolation::kNearest)
    throw Unsupported("nearest by half pixels, rounding down at .5 (ours: floor, as PyTorch)");
  if (c.attributes.integer("exclude_outside", 0)) throw Unsupported("exclude_outside");
  if (options.mode == Interpolation::kBicubic &&
      c.attributes.number("cubic_coeff_a", -0.75) != (options.antialias ? -0.5 : -0.75)) {
    throw Unsupported("cubic_coeff_a");
  }
  if (c.attributes.has("axes") || c.attributes.has("keep_aspect_ratio_policy"))
    throw Unsupported("axes, keep_aspect_ratio_policy");
  return options;
}

Outputs resized(const Call& c) {
  require_images(c);
  const ResizeOptions options = resize_options(c);
  if (c.has(3)) {
    const auto sizes = c.integers(3);
    return {resize(c.in(0), sizes.at(2), sizes.at(3), options)};
  }
  const auto scales = to_vector<double>(c.tensor(2));
  const auto extent = [&](int axis) { return std::floor(static_cast<double>(c.in(0).size(axis)) * scales.at(axis)); };
  for (int axis : {2, 3}) {  // the output grid must be that of the sizes, or the coordinates differ
    if (extent(axis) != static_cast<double>(c.in(0).size(axis)) * scales.at(axis))
      throw Unsupported("scales that give no whole extent");
  }
  return {resize(c.in(0), static_cast<int64_t>(extent(2)), static_cast<int64_t>(extent(3)), options)};
}

// As in evaluation, unless a training flag asks for more than ratio 0.
Outputs no_dropout(const Call& c) {
  const double ratio = c.has(1) ? c.tensor(1).item() : 0.5;
  if (c.has(2) && c.tensor(2).item() != 0 && ratio > 0) throw Unsupported("training: its random numbers are not ours");
  return {dropout(c.in(0), 0, false, Rng(0)), Variable(ones(c.in(0).shape(), Dtype::u8))};
}

}  // namespace

void add_layers(Table& t) {
  t["MatMul"] = [](const Call& c) -> Outputs { return {matmul(c.in(0), c.in(1))}; };
  t["Gemm"] = gemm;
  t["Softmax"] = [](const Call& c) -> Outputs { return {softmax(c.in(0), axis_of(c, -1, c.in(0).dim()))}; };
  t["LogSoftmax"] = [](const Call& c) -> Outputs { return {log_softmax(c.in(0), axis_of(c, -1, c.in(0).dim()))}; };
  t["LayerNormalization"] = layer_normalization;
  t["RMSNormalization"] = rms_normalization;
  t["BatchNormalization"] = batch_normalization;
  t["GroupNormalization"] = group_normalization;
  t["InstanceNormalization"] = instance_normalization;
  t["Conv"] = conv;
  t["MaxPool"] = max_pool;
  t["AveragePool"] = average_pool;
  t["GlobalAveragePool"] = [](const Call& c) -> Outputs { return {mean(c.in(0), {2, 3}, true)}; };
  t["GlobalMaxPool"] = [](const Call& c) -> Outputs { return {max(c.in(0), {2, 3}, true)}; };
  t["Resize"] = resized;
  t["Dropout"] = no_dropout;
}

}  // namespace vitrail::onnx
