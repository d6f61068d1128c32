#include "data/test_views.h"

#include <algorithm>
#include <cmath>

#include "tensor/ops.h"

namespace vitrail {
namespace {

// The margin on each side.
int64_t margin(int64_t side) { return std::max<int64_t>(1, std::llround(static_cast<double>(side) / 14)); }

Preprocessing enlarged(const Preprocessing& p) {
  Preprocessing larger = p;
  larger.height += 2 * margin(p.height), larger.width += 2 * margin(p.width);
  const auto scaled = [](int64_t size, int64_t to, int64_t from) {
    return std::llround(static_cast<double>(size) * static_cast<double>(to) / static_cast<double>(from));
  };
  if (p.resize_height == 0) {
    // A short side that fits the smaller crop must fit the larger one: both sides of it are one size.
    if (p.resize == ResizeMode::kShortSide && larger.height != larger.width) larger.resize = ResizeMode::kCover;
    return larger;
  }
  larger.resize_height = scaled(p.resize_height, larger.height, p.height);
  larger.resize_width =
      p.resize == ResizeMode::kShortSide ? larger.resize_height : scaled(p.resize_width, larger.width, p.width);
  return larger;
}

}  // namespace

std::vector<Tensor> test_views(const Tensor& image, const Preprocessing& p, bool mirrored) {
  std::vector<Tensor> views = {preprocess(image, p)};
  const Tensor larger = preprocess(image, enlarged(p));
  for (const int64_t top : {int64_t{0}, larger.size(1) - p.height})
    for (const int64_t left : {int64_t{0}, larger.size(2) - p.width})
      views.push_back(contiguous(slice(slice(larger, 1, top, top + p.height), 2, left, left + p.width)));
  if (!mirrored) return views;
  const size_t plain = views.size();
  for (size_t i = 0; i < plain; ++i) views.push_back(flip(views[i], {2}));
  return views;
}

}  // namespace vitrail
