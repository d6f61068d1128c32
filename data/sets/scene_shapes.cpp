#include "data/sets/scene_shapes.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "data/sets/scenes.h"

namespace vitrail {
namespace {

bool circle(double x, double y) { return x * x + y * y <= 0.9; }
bool square(double x, double y) { return std::max(std::abs(x), std::abs(y)) <= 0.7; }
bool diamond(double x, double y) { return std::abs(x) / 0.62 + std::abs(y) <= 1; }

bool ring(double x, double y) {
  const double r2 = x * x + y * y;
  return r2 <= 0.95 && r2 >= 0.3;
}

bool cross(double x, double y) {
  const double a = std::abs(x), b = std::abs(y);
  return std::max(a, b) <= 0.92 && std::min(a, b) <= 0.28;
}

// Equilateral, the tip up, its centroid in the middle.
bool triangle(double x, double y) { return y <= 0.5 && y >= -1 + std::abs(x) * std::numbers::sqrt3; }

// Five tips at radius 1, five notches at radius 0.42: folded into one tenth, where the outline is one straight line.
bool star(double x, double y) {
  constexpr double kTenth = std::numbers::pi / 5, kNotch = 0.42;
  double angle = std::fmod(std::atan2(x, -y) + 2 * std::numbers::pi, 2 * kTenth);
  angle = std::min(angle, 2 * kTenth - angle);  // 0 at a tip, kTenth at a notch
  const double r = std::hypot(x, y), px = r * std::cos(angle), py = r * std::sin(angle);
  const double nx = kNotch * std::cos(kTenth), ny = kNotch * std::sin(kTenth);
  return ny * (px - 1) - (nx - 1) * py <= 0;
}

// Two half circles on a point.
bool heart(double x, double y) {
  const double a = std::abs(x) / 0.8, b = -(y - 0.12) / 0.8;
  const double q = a * a + b * b - 0.75;
  return q * q * q <= 0.9 * a * a * b * b * b;
}

}  // namespace

bool inside_shape(int64_t shape, double x, double y) {
  switch (shape) {
    case 0: return circle(x, y);
    case 1: return square(x, y);
    case 2: return triangle(x, y);
    case 3: return star(x, y);
    case 4: return ring(x, y);
    case 5: return cross(x, y);
    case 6: return diamond(x, y);
    case 7: return heart(x, y);
    default: fail(ErrorKind::kValue, "scenes", "there is no shape ", shape, ": there are ", scene_shapes().size());
  }
}

const std::vector<std::string>& scene_shapes() {
  static const std::vector<std::string> names = {"circle", "square", "triangle", "star", "ring", "cross", "diamond", "heart"};
  return names;
}

}  // namespace vitrail
