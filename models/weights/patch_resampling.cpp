#include "models/weights/patch_resampling.h"

#include <algorithm>

#include "models/weights/pseudo_inverse.h"
#include "tensor/ops.h"

namespace vitrail {
namespace {

using models::Size2d;

void check_weight(const char* op, const Tensor& weight) {
  check(weight.dim() == 4 && weight.numel() > 0, ErrorKind::kShape, op,
        "needs the weight of a patch embedding, [dim, channels, rows, columns]: weight is ", weight.shape(), ".");
  check(is_float(weight.dtype()), ErrorKind::kValue, op, "needs floats: weight is ", name_of(weight.dtype()), ".");
}

// (B^T)^+ [to, from] of the matrix B [to, from] that resizes an axis. Resizing the rows of the identity gives B^T.
Tensor inverse_of_resizing(int64_t from, int64_t to, const PatchKernel& kernel) {
  const Tensor rows = reshape(eye(from, Dtype::f64), {from, 1, from});
  const Tensor resized = resize(rows, 1, to, {.mode = kernel.mode, .antialias = kernel.antialias});
  return pseudo_inverse(reshape(resized, {from, to}));
}

}  // namespace

Tensor resample_patches(const Tensor& weight, Size2d to, const PatchKernel& kernel) {
  const char* op = "resample_patches";
  check_weight(op, weight);
  const Size2d from{weight.size(2), weight.size(3)};
  check(std::min(to.h, to.w) >= 1 && std::max({from.h, from.w, to.h, to.w}) <= kMaxResampledPatch, ErrorKind::kShape, op,
        "sides of patches must be from 1 to ", kMaxResampledPatch, ": they are ", from.h, " x ", from.w, ", to become ", to.h,
        " x ", to.w, ".");
  if (to == from) return weight;
  const Tensor rows = inverse_of_resizing(from.h, to.h, kernel), columns = inverse_of_resizing(from.w, to.w, kernel);
  const Tensor narrow = matmul(vitrail::to(weight, Dtype::f64), transpose(columns));
  return vitrail::to(matmul(rows, narrow), weight.dtype());
}

Tensor adapt_channels(const Tensor& weight, int64_t channels) {
  const char* op = "adapt_channels";
  check_weight(op, weight);
  check(channels >= 1 && channels <= models::kMaxChannels, ErrorKind::kValue, op, "channels must be from 1 to ",
        models::kMaxChannels, ": they are ", channels, ".");
  const int64_t old = weight.size(1);
  if (channels == old) return weight;
  const Tensor exact = to(weight, Dtype::f64);
  if (channels == 1) return to(sum(exact, {1}, true), weight.dtype());
  Tensor result = zeros({weight.size(0), channels, weight.size(2), weight.size(3)}, Dtype::f64);
  for (int64_t first = 0; first < channels; first += old) {
    const int64_t count = std::min(old, channels - first);
    copy_(slice(result, 1, first, first + count), slice(exact, 1, 0, count));
  }
  mul_(result, static_cast<double>(old) / static_cast<double>(channels));
  return to(result, weight.dtype());
}

}  // namespace vitrail
