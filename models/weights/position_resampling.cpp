#include "models/weights/position_resampling.h"

#include <vector>

#include "base/text.h"
#include "tensor/ops.h"

namespace vitrail {
namespace {

using models::Size2d;

struct Rule {
  PositionRule rule;
  const char* name;
  ResizeOptions kernel;
  double offset = 0;  // added to the new extents before they are divided by the old ones
};

constexpr ResizeOptions kPlain{.mode = Interpolation::kBicubic}, kBilinear{.mode = Interpolation::kBilinear},
    kWidened{.mode = Interpolation::kBicubic, .antialias = true};
constexpr Rule kRules[] = {
    {PositionRule::kTimm, "timm", kWidened},
    {PositionRule::kTimmNpz, "timm-npz", kBilinear},
    {PositionRule::kHfVit, "hf-vit", kPlain},
    {PositionRule::kHfDeit, "hf-deit", kPlain},
    {PositionRule::kHfClip, "hf-clip", kPlain},
    {PositionRule::kHfDinov2, "hf-dinov2", kPlain},
    {PositionRule::kHfDinov2Reg, "hf-dinov2-reg", kWidened},
    {PositionRule::kTorchvision, "torchvision", {.mode = Interpolation::kBicubic, .align_corners = true}},
    {PositionRule::kDinov2Offset, "dinov2-offset", kPlain, 0.1},
    {PositionRule::kGoogleZoom, "google-zoom", {.mode = Interpolation::kBilinear, .align_corners = true}},
    {PositionRule::kOpenClip, "open-clip", kWidened},
};

const Rule& entry(PositionRule rule) {
  for (const Rule& r : kRules)
    if (r.rule == rule) return r;
  fail(ErrorKind::kValue, "position_rule", "unknown rule ", static_cast<int>(rule), ".");
}

ResizeOptions kernel_of(const Rule& rule, Size2d from, Size2d to) {
  ResizeOptions kernel = rule.kernel;
  if (rule.offset == 0) return kernel;
  kernel.scale_h = (static_cast<double>(to.h) + rule.offset) / static_cast<double>(from.h);
  kernel.scale_w = (static_cast<double>(to.w) + rule.offset) / static_cast<double>(from.w);
  return kernel;
}

bool has_positions(Size2d grid) {
  return grid.h >= 1 && grid.w >= 1 && grid.h <= models::kMaxTokens && grid.w <= models::kMaxTokens / grid.h;
}

void check_positions(const char* op, const Tensor& x, Size2d from, Size2d to, int64_t prefix) {
  check(prefix >= 0, ErrorKind::kValue, op, "prefix must not be negative: it is ", prefix, ".");
  check(has_positions(from) && has_positions(to), ErrorKind::kShape, op, "a grid must have from 1 to ", models::kMaxTokens,
        " positions: the grids are ", from.h, " x ", from.w, " and ", to.h, " x ", to.w, ".");
  check(x.dim() == 3 && x.size(0) == 1 && x.size(1) - prefix == from.h * from.w, ErrorKind::kShape, op,
        "needs [1, prefix + rows * columns, dim]: pos_embed is ", x.shape(), ", prefix is ", prefix, ", the grid is ", from.h,
        " x ", from.w, ".");
  check(is_float(x.dtype()), ErrorKind::kValue, op, "needs floats: pos_embed is ", name_of(x.dtype()), ".");
}

}  // namespace

const char* position_rule_name(PositionRule rule) { return entry(rule).name; }

PositionRule position_rule(const std::string& name) {
  std::string known;
  for (const Rule& r : kRules) {
    if (name == r.name) return r.rule;
    known += cat(known.empty() ? "" : ", ", r.name);
  }
  fail(ErrorKind::kValue, "position_rule", "must be one of ", known, ": it is ", quote(name), ".");
}

Tensor resample_positions(const Tensor& pos_embed, Size2d from, Size2d to, int64_t prefix, PositionRule rule) {
  const char* op = "resample_positions";
  check_positions(op, pos_embed, from, to, prefix);
  // LAB 8.4 BEGIN  The same grid: pos_embed itself. Else resize() the rows after the prefix as pictures [d, h, w], in f64.
  if (from == to) return pos_embed;
  const int64_t d = pos_embed.size(2), end = pos_embed.size(1);
  const Tensor grid = reshape(vitrail::to(slice(pos_embed, 1, prefix, end), Dtype::f64), {from.h, from.w, d});
  const Tensor resized = resize(permute(grid, {2, 0, 1}), to.h, to.w, kernel_of(entry(rule), from, to));
  Tensor result = empty({1, prefix + to.h * to.w, d}, pos_embed.dtype(), op);
  copy_(slice(result, 1, 0, prefix), slice(pos_embed, 1, 0, prefix));
  copy_(slice(result, 1, prefix, result.size(1)), reshape(permute(resized, {1, 2, 0}), {1, to.h * to.w, d}));
  return result;
  // LAB 8.4 END
}

}  // namespace vitrail
