// The inner loops of warp(). Compiled without fused multiply-add: cutting to a byte shows the last bit of a double.
#include <algorithm>
#include <cmath>

#include "data/augment/geometry.h"

namespace vitrail::augment {
namespace {

struct Plane {
  const uint8_t* pixels;
  int64_t height, width;

  const uint8_t* row(int64_t y) const { return pixels + std::clamp<int64_t>(y, 0, height - 1) * width; }
  int64_t column(int64_t x) const { return std::clamp<int64_t>(x, 0, width - 1); }
};

double mix(double a, double b, double d) { return a + (b - a) * d; }

// At (x, y), measured from the centre of the first pixel.
uint8_t bilinear(const Plane& p, double x, double y) {
  const double left = std::floor(x), top = std::floor(y), dx = x - left, dy = y - top;
  const auto j = static_cast<int64_t>(left), i = static_cast<int64_t>(top);
  const int64_t j0 = p.column(j), j1 = p.column(j + 1);
  const uint8_t *above = p.row(i), *below = p.row(i + 1);
  return static_cast<uint8_t>(mix(mix(above[j0], above[j1], dx), mix(below[j0], below[j1], dx), dy));
}

// Horner's form of the cubic through four values at -1, 0, 1, 2.
double cubic(double v1, double v2, double v3, double v4, double d) {
  const double p2 = -v1 + v3, p3 = 2 * (v1 - v2) + v3 - v4, p4 = -v1 + v2 - v3 + v4;
  return v2 + d * (p2 + d * (p3 + d * p4));
}

uint8_t bicubic(const Plane& p, double x, double y) {
  const double left = std::floor(x), top = std::floor(y), dx = x - left, dy = y - top;
  const auto j = static_cast<int64_t>(left), i = static_cast<int64_t>(top);
  const int64_t columns[4] = {p.column(j - 1), p.column(j), p.column(j + 1), p.column(j + 2)};
  double v[4];
  for (int64_t k = 0; k < 4; ++k) {
    const uint8_t* row = p.row(i - 1 + k);
    v[k] = cubic(row[columns[0]], row[columns[1]], row[columns[2]], row[columns[3]], dx);
  }
  const double value = cubic(v[0], v[1], v[2], v[3], dy);
  return value <= 0 ? uint8_t{0} : value >= 255 ? uint8_t{255} : static_cast<uint8_t>(value);
}

// Fn(y, x, input x, input y) for the output pixels whose centre comes from inside.
template <class Fn>
void for_each_inside(const Geometry& g, int64_t in_height, int64_t in_width, Fn&& fn) {
  const auto& m = g.matrix;
  const auto height = static_cast<double>(in_height), width = static_cast<double>(in_width);
  for (int64_t y = 0; y < g.height; ++y) {
    for (int64_t x = 0; x < g.width; ++x) {
      const double u = static_cast<double>(x) + 0.5, v = static_cast<double>(y) + 0.5;
      const double in_x = m[0] * u + m[1] * v + m[2], in_y = m[3] * u + m[4] * v + m[5];
      if (in_x >= 0 && in_x < width && in_y >= 0 && in_y < height) fn(y, x, in_x, in_y);
    }
  }
}

int64_t fixed(double x) { return static_cast<int64_t>(std::floor(x * 65536 + 0.5)); }

// Pillow walks through the picture in steps of 2^-16, so rounding errors add up; where the map is upright, in doubles.
template <class Fn>
void for_each_nearest(const Geometry& g, int64_t in_height, int64_t in_width, Fn&& fn) {
  const auto& m = g.matrix;
  if (m[1] == 0 && m[3] == 0) {
    double y_in = m[5] + m[4] * 0.5;
    for (int64_t y = 0; y < g.height; ++y, y_in += m[4]) {
      const int64_t i = y_in < 0 ? -1 : static_cast<int64_t>(std::min(y_in, 1e9));
      double x_in = m[2] + m[0] * 0.5;
      for (int64_t x = 0; x < g.width; ++x, x_in += m[0]) {
        const int64_t j = x_in < 0 ? -1 : static_cast<int64_t>(std::min(x_in, 1e9));
        if (i >= 0 && i < in_height && j >= 0 && j < in_width) fn(y, x, i, j);
      }
    }
    return;
  }
  int64_t row_x = fixed(m[2] + m[0] * 0.5 + m[1] * 0.5), row_y = fixed(m[5] + m[3] * 0.5 + m[4] * 0.5);
  for (int64_t y = 0; y < g.height; ++y, row_x += fixed(m[1]), row_y += fixed(m[4])) {
    int64_t at_x = row_x, at_y = row_y;
    for (int64_t x = 0; x < g.width; ++x, at_x += fixed(m[0]), at_y += fixed(m[3])) {
      const int64_t j = at_x >> 16, i = at_y >> 16;
      if (i >= 0 && i < in_height && j >= 0 && j < in_width) fn(y, x, i, j);
    }
  }
}

}  // namespace

Tensor warp(const Tensor& image, const Geometry& g, Filter filter, const std::vector<uint8_t>& fill) {
  check(image.defined() && image.dtype() == Dtype::u8 && image.dim() == 3 && image.numel() > 0, ErrorKind::kShape, "warp",
        "needs a u8 image [C, H, W] with pixels: it is ", image.defined() ? name_of(image.dtype()) : "undefined", " ",
        image.shape());
  const int64_t channels = image.size(0), in_height = image.size(1), in_width = image.size(2);
  check(fill.empty() || static_cast<int64_t>(fill.size()) == channels, ErrorKind::kShape, "warp",
        "one fill value per channel: there are ", fill.size(), " for image ", image.shape());
  for (const double entry : g.matrix)
    check(std::isfinite(entry) && std::abs(entry) < 1e6, ErrorKind::kValue, "warp",
          "the matrix must be finite and below 10^6: an entry is ", entry);
  const Tensor source = contiguous(image);
  Tensor result = zeros({channels, g.height, g.width}, Dtype::u8);
  const int64_t plane = g.height * g.width;
  for (int64_t c = 0; c < channels; ++c) {
    const Plane in{source.data<uint8_t>() + c * in_height * in_width, in_height, in_width};
    uint8_t* out = result.mutable_data<uint8_t>() + c * plane;
    if (!fill.empty()) std::fill_n(out, plane, fill[static_cast<size_t>(c)]);
    if (filter == Filter::kNearest) {
      for_each_nearest(g, in_height, in_width,
                       [&](int64_t y, int64_t x, int64_t i, int64_t j) { out[y * g.width + x] = in.pixels[i * in_width + j]; });
    } else if (filter == Filter::kBilinear) {
      for_each_inside(g, in_height, in_width,
                      [&](int64_t y, int64_t x, double u, double v) { out[y * g.width + x] = bilinear(in, u - 0.5, v - 0.5); });
    } else {
      for_each_inside(g, in_height, in_width,
                      [&](int64_t y, int64_t x, double u, double v) { out[y * g.width + x] = bicubic(in, u - 0.5, v - 0.5); });
    }
  }
  return result;
}

}  // namespace vitrail::augment
