// Compiled without fused multiply-add, so that a rotation has the matrix of Pillow.
#include "data/augment/geometry.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/view.h"

namespace vitrail::augment {
namespace {

// To 15 decimal places, correctly: so that 90 degrees are exact, and as Pillow rounds.
double rounded_15(double x) {
  const double product = x * 1e15, error = std::fma(x, 1e15, -product);  // together exact
  double whole = std::nearbyint(product);
  const double rest = (product - whole) + error;
  whole += (rest > 0.5) - (rest < -0.5);
  return whole / 1e15;
}

}  // namespace

Geometry identity(int64_t height, int64_t width) { return {{1, 0, 0, 0, 1, 0}, height, width}; }

Geometry crop_and_resize(double top, double left, double height, double width, int64_t out_height, int64_t out_width) {
  return {{width / static_cast<double>(out_width), 0, left, 0, height / static_cast<double>(out_height), top},
          out_height,
          out_width};
}

Geometry flip_horizontal(int64_t height, int64_t width) {
  return {{-1, 0, static_cast<double>(width), 0, 1, 0}, height, width};
}

Geometry flip_vertical(int64_t height, int64_t width) { return {{1, 0, 0, 0, -1, static_cast<double>(height)}, height, width}; }

Geometry rotation(double degrees, int64_t height, int64_t width) {
  const double angle = -(std::fmod(std::fmod(degrees, 360) + 360, 360) * (std::numbers::pi / 180));
  const double c = rounded_15(std::cos(angle)), s = rounded_15(std::sin(angle));
  const double x = static_cast<double>(width) / 2, y = static_cast<double>(height) / 2;
  return {{c, s, c * -x + s * -y + x, -s, c, -s * -x + c * -y + y}, height, width};
}

Geometry shear_x(double factor, int64_t height, int64_t width) { return {{1, factor, 0, 0, 1, 0}, height, width}; }
Geometry shear_y(double factor, int64_t height, int64_t width) { return {{1, 0, 0, factor, 1, 0}, height, width}; }
Geometry translation(double dx, double dy, int64_t height, int64_t width) { return {{1, 0, dx, 0, 1, dy}, height, width}; }

Geometry compose(const Geometry& first, const Geometry& second) {
  const auto& a = first.matrix;
  const auto& b = second.matrix;  // new -> middle; a: middle -> old
  return {{a[0] * b[0] + a[1] * b[3], a[0] * b[1] + a[1] * b[4], a[0] * b[2] + a[1] * b[5] + a[2],  //
           a[3] * b[0] + a[4] * b[3], a[3] * b[1] + a[4] * b[4], a[3] * b[2] + a[4] * b[5] + a[5]},
          second.height,
          second.width};
}

std::array<double, 2> map_point(const Geometry& geometry, double x, double y) {
  const auto& m = geometry.matrix;
  const double determinant = m[0] * m[4] - m[1] * m[3];
  check(std::isfinite(determinant) && determinant != 0, ErrorKind::kValue, "geometry", "the map has no inverse: its matrix is ",
        m[0], " ", m[1], " ", m[3], " ", m[4]);
  const double u = x - m[2], v = y - m[5];
  return {(m[4] * u - m[1] * v) / determinant, (m[0] * v - m[3] * u) / determinant};
}

Tensor warp_mask(const Tensor& mask, const Geometry& geometry, uint8_t outside) {
  check(mask.dtype() == Dtype::u8 && mask.dim() == 2, ErrorKind::kShape, "warp_mask", "needs a u8 mask [H, W]: it is ",
        name_of(mask.dtype()), " ", mask.shape());
  return select(warp(unsqueeze(mask, 0), geometry, Filter::kNearest, {outside}), 0, 0);
}

namespace {

struct Box {
  double x0, y0, x1, y1;
  double area() const { return std::max(0.0, x1 - x0) * std::max(0.0, y1 - y0); }
};

Box around(const Geometry& geometry, const float* edges) {
  Box box{1e300, 1e300, -1e300, -1e300};
  for (const int corner : {0, 1, 2, 3}) {
    const auto point = map_point(geometry, edges[corner % 2 == 0 ? 0 : 2], edges[corner < 2 ? 1 : 3]);
    box.x0 = std::min(box.x0, point[0]), box.x1 = std::max(box.x1, point[0]);
    box.y0 = std::min(box.y0, point[1]), box.y1 = std::max(box.y1, point[1]);
  }
  return box;
}

// The rows of x [M, ...] at `kept`.
Tensor rows(const Tensor& x, const std::vector<int64_t>& kept) {
  if (!x.defined()) return x;
  Shape shape = x.shape();
  shape[0] = static_cast<int64_t>(kept.size());
  Tensor result = empty(shape, x.dtype(), "follow");
  for (int64_t i = 0; i < shape[0]; ++i) copy_(slice(result, 0, i, i + 1), slice(x, 0, kept[i], kept[i] + 1));
  return result;
}

}  // namespace

Target follow(const Target& target, const Geometry& geometry, double least_part) {
  Target result = target;
  if (target.mask.defined()) result.mask = warp_mask(target.mask, geometry);
  if (!target.boxes.defined()) return result;
  const Tensor boxes = contiguous(target.boxes);
  std::vector<int64_t> kept;
  std::vector<float> edges;
  const double width = static_cast<double>(geometry.width), height = static_cast<double>(geometry.height);
  for (int64_t i = 0; i < boxes.size(0); ++i) {
    const Box whole = around(geometry, boxes.data<float>() + 4 * i);
    const Box inside{std::clamp(whole.x0, 0.0, width), std::clamp(whole.y0, 0.0, height), std::clamp(whole.x1, 0.0, width),
                     std::clamp(whole.y1, 0.0, height)};
    if (inside.area() <= 0 || inside.area() < least_part * whole.area()) continue;
    kept.push_back(i);
    for (const double edge : {inside.x0, inside.y0, inside.x1, inside.y1}) edges.push_back(static_cast<float>(edge));
  }
  result.boxes = from_vector(edges, {static_cast<int64_t>(kept.size()), 4});
  result.box_labels = rows(target.box_labels, kept);
  result.box_flags = rows(target.box_flags, kept);
  return result;
}

}  // namespace vitrail::augment
