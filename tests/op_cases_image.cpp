// Gradient checks of convolution, pooling and resizing.
#include "autograd/ops/layers.h"
#include "autograd/ops/shape.h"
#include "tensor/ops.h"
#include "tests/op_cases_parts.h"

namespace vitrail::testing {
namespace {

OpFunction convolve(const Conv2dOptions& options = {}) {
  return
      [options](const std::vector<Variable>& in) { return conv2d(in[0], in[1], in.size() > 2 ? in[2] : Variable(), options); };
}

OpCase conv2d_case() {
  const Conv2dOptions padded{.padding_h = 1, .padding_w = 1}, strided{.stride_h = 2, .stride_w = 3, .padding_h = 1};
  const Conv2dOptions dilated{.padding_h = 2, .padding_w = 1, .dilation_h = 2, .dilation_w = 3};
  const Conv2dOptions patches{.stride_h = 2, .stride_w = 2}, grouped{.padding_h = 1, .groups = 2};
  const Conv2dOptions depthwise{.padding_h = 1, .padding_w = 1, .groups = 3};
  const Conv2dOptions all{.stride_h = 2, .padding_h = 1, .padding_w = 2, .dilation_w = 2, .groups = 2};
  return {
      "conv2d",
      {{"plain", {leaf({2, 2, 5, 4}, 1), leaf({3, 2, 3, 2}, 2), leaf({3}, 3)}, convolve()},
       {"without bias", {leaf({2, 2, 4, 4}, 4), leaf({3, 2, 3, 3}, 5)}, convolve(padded)},
       {"stride 2 x 3", {leaf({1, 2, 6, 7}, 6), leaf({2, 2, 3, 3}, 7), leaf({2}, 8)}, convolve(strided)},
       {"dilation", {leaf({1, 2, 6, 7}, 9), leaf({2, 2, 3, 2}, 10), leaf({2}, 11)}, convolve(dilated)},
       {"patches", {leaf({2, 3, 4, 6}, 12), leaf({4, 3, 2, 2}, 13), leaf({4}, 14)}, convolve(patches)},
       {"1 x 1", {leaf({2, 3, 2, 3}, 15), leaf({4, 3, 1, 1}, 16), leaf({4}, 17)}, convolve()},
       {"groups", {leaf({2, 4, 3, 4}, 18), leaf({6, 2, 3, 2}, 19), leaf({6}, 20)}, convolve(grouped)},
       {"depthwise", {leaf({2, 3, 4, 4}, 21), leaf({3, 1, 3, 3}, 22), leaf({3}, 23)}, convolve(depthwise)},
       {"all options", {leaf({1, 4, 5, 6}, 24), leaf({4, 2, 2, 3}, 25), leaf({4}, 26)}, convolve(all)},
       {"transposed", {transposed_leaf({2, 2, 4, 5}, 27), transposed_leaf({3, 2, 3, 2}, 28), leaf({3}, 29)}, convolve(padded)},
       {"strided views", {strided_leaf({2, 2, 4, 4}, 30), strided_leaf({3, 2, 2, 2}, 31), strided_leaf({3}, 32)}, convolve()},
       {"expanded", {expanded_leaf({1, 1, 4, 4}, {2, 2, 4, 4}, 33), leaf({3, 2, 2, 2}, 34), leaf({3}, 35)}, convolve()},
       {"size 1", {leaf({1, 1, 1, 1}, 36), leaf({1, 1, 1, 1}, 37), leaf({1}, 38)}, convolve()},
       {"no samples", {leaf({0, 2, 4, 4}, 39), leaf({3, 2, 2, 2}, 40), leaf({3}, 41)}, convolve()},
       {"twice", {leaf({2, 2, 3, 3}, 42)}, [](const std::vector<Variable>& in) { return conv2d(in[0], in[0]); }},
       {"frozen weight", {leaf({1, 2, 4, 4}, 43), constant(leaf({3, 2, 2, 2}, 44)), leaf({3}, 45)}, convolve()},
       {"constant image", {constant(leaf({1, 2, 4, 4}, 46)), leaf({3, 2, 2, 2}, 47), leaf({3}, 48)}, convolve()}}};
}

// Windows of pooling, among them overlapping, padded and rectangular ones, and windows that extend beyond the edge. `make` may
// avoid ties.
template <class Fn>
std::vector<OpSample> pooling_samples(Fn fn) {
  const auto with = [fn](const Pool2dOptions& options) { return unary([=](const Variable& x) { return fn(x, options); }); };
  const Pool2dOptions overlapping{.kernel_h = 3, .kernel_w = 3, .stride_h = 1, .stride_w = 2};
  const Pool2dOptions padded{.kernel_h = 3, .kernel_w = 2, .stride_h = 2, .stride_w = 1, .padding_h = 1, .padding_w = 1};
  const Pool2dOptions over_edge{.kernel_h = 3, .kernel_w = 3, .ceil_mode = true};
  const Pool2dOptions single{.kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1};
  const auto transposed = [](const Shape& shape, uint64_t seed) {
    Shape stored = shape;
    std::swap(stored[stored.size() - 2], stored[stored.size() - 1]);
    return Variable(transpose(distinct_leaf(stored, seed).value()), true);
  };
  const Tensor wide = distinct_leaf({1, 2, 4, 8}, 6).value();
  return {{"2 x 2", {distinct_leaf({2, 2, 4, 6}, 1)}, with({})},
          {"overlapping", {distinct_leaf({1, 2, 5, 6}, 2)}, with(overlapping)},
          {"padded", {distinct_leaf({2, 1, 5, 4}, 3)}, with(padded)},
          {"over the edge", {distinct_leaf({1, 1, 6, 6}, 4)}, with(over_edge)},
          {"transposed", {transposed({1, 2, 4, 6}, 5)}, with({})},
          {"strided", {Variable(slice(wide, 3, 0, 8, 2), true)}, with({})},
          {"expanded", {Variable(expand(distinct_leaf({1, 1, 4, 4}, 7).value(), {2, 3, 4, 4}), true)}, with({})},
          {"1 x 1", {distinct_leaf({1, 2, 3, 3}, 8)}, with(single)},
          {"size 1", {distinct_leaf({1, 1, 1, 1}, 9)}, with(single)},
          {"no samples", {distinct_leaf({0, 2, 4, 4}, 10)}, with({})}};
}

OpCase max_pool2d_case() {
  const auto fn = [](const Variable& x, const Pool2dOptions& options) { return max_pool2d(x, options); };
  std::vector<OpSample> samples = pooling_samples(fn);
  const Pool2dOptions dilated{.stride_h = 1, .stride_w = 1, .dilation_h = 2, .dilation_w = 3};
  samples.push_back({"dilation", {distinct_leaf({1, 2, 5, 6}, 11)}, unary([=](const Variable& x) { return fn(x, dilated); })});
  return {"max_pool2d", samples};
}

OpCase avg_pool2d_case() {
  const auto fn = [](const Variable& x, const Pool2dOptions& options) { return avg_pool2d(x, options); };
  std::vector<OpSample> samples = pooling_samples(fn);
  const Pool2dOptions inside{
      .kernel_h = 3, .kernel_w = 3, .padding_h = 1, .padding_w = 1, .ceil_mode = true, .count_include_pad = false};
  samples.push_back({"padding not counted", {leaf({1, 2, 5, 6}, 11)}, unary([=](const Variable& x) { return fn(x, inside); })});
  return {"avg_pool2d", samples};
}

OpCase adaptive_avg_pool2d_case() {
  const auto to_size = [](int64_t h, int64_t w) {
    return unary([=](const Variable& x) { return adaptive_avg_pool2d(x, h, w); });
  };
  return {"adaptive_avg_pool2d",
          {{"even cells", {leaf({2, 2, 4, 6}, 1)}, to_size(2, 3)},
           {"uneven cells", {leaf({1, 2, 5, 7}, 2)}, to_size(3, 4)},
           {"global", {leaf({2, 3, 4, 5}, 3)}, to_size(1, 1)},
           {"larger than the image", {leaf({1, 2, 2, 3}, 4)}, to_size(5, 4)},
           {"transposed", {transposed_leaf({1, 2, 4, 5}, 5)}, to_size(2, 2)},
           {"strided", {strided_leaf({1, 2, 4, 5}, 6)}, to_size(2, 2)},
           {"expanded", {expanded_leaf({1, 1, 4, 4}, {2, 3, 4, 4}, 7)}, to_size(3, 2)},
           {"size 1", {leaf({1, 1, 1, 1}, 8)}, to_size(1, 1)},
           {"no samples", {leaf({0, 2, 4, 4}, 9)}, to_size(2, 2)}}};
}

OpCase resize_case() {
  const auto fn = [](int64_t h, int64_t w, const ResizeOptions& options = {}) {
    return unary([=](const Variable& x) { return resize(x, h, w, options); });
  };
  using enum Interpolation;
  return {"resize",
          {{"nearest up", {leaf({1, 2, 3, 4}, 1)}, fn(5, 7, {.mode = kNearest})},
           {"nearest down", {leaf({1, 2, 5, 6}, 2)}, fn(3, 4, {.mode = kNearest})},
           {"bilinear up", {leaf({1, 2, 3, 4}, 3)}, fn(5, 7)},
           {"bilinear down", {leaf({1, 2, 6, 5}, 4)}, fn(3, 2)},
           {"bilinear, corners aligned", {leaf({2, 3, 4}, 5)}, fn(5, 6, {.align_corners = true})},
           {"bilinear down, antialias", {leaf({1, 7, 6}, 6)}, fn(3, 2, {.antialias = true})},
           {"bicubic up", {leaf({1, 1, 4, 5}, 7)}, fn(6, 7, {.mode = kBicubic})},
           {"bicubic, corners aligned", {leaf({4, 5}, 8)}, fn(6, 7, {.mode = kBicubic, .align_corners = true})},
           {"bicubic down, antialias", {leaf({1, 9, 8}, 9)}, fn(4, 3, {.mode = kBicubic, .antialias = true})},
           {"up one axis, down the other", {leaf({1, 3, 8}, 10)}, fn(5, 3, {.mode = kBicubic, .antialias = true})},
           {"bicubic, own scales", {leaf({3, 4}, 17)}, fn(2, 5, {.mode = kBicubic, .scale_h = 0.7, .scale_w = 1.275})},
           {"transposed", {transposed_leaf({1, 2, 3, 4}, 11)}, fn(4, 6)},
           {"strided", {strided_leaf({2, 3, 4}, 12)}, fn(4, 3)},
           {"expanded", {expanded_leaf({1, 3, 4}, {2, 3, 4}, 13)}, fn(4, 3)},
           {"same size", {leaf({2, 3, 3}, 14)}, fn(3, 3)},
           {"size 1", {leaf({1, 1}, 15)}, fn(2, 3)},
           {"to size 1", {leaf({3, 4}, 16)}, fn(1, 1, {.align_corners = true})}}};
}

}  // namespace

std::vector<OpCase> image_cases() {
  return {conv2d_case(), max_pool2d_case(), avg_pool2d_case(), adaptive_avg_pool2d_case(), resize_case()};
}

}  // namespace vitrail::testing
