#include "models/explain/overlay.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/machine/parallel.h"
#include "tensor/ops.h"

namespace vitrail::models::explain {
namespace {

// Between which two of `count` cells a place in [0, 1] lies, and how much of the second it takes.
struct Between {
  int64_t low, high;
  double part;
};
Between between(double place, int64_t count) {
  const double at = std::clamp(place * static_cast<double>(count) - 0.5, 0.0, static_cast<double>(count - 1));
  const auto low = static_cast<int64_t>(at);
  return {low, std::min(low + 1, count - 1), at - static_cast<double>(low)};
}

// Where the centre of pixel i of n lies within the seen part: in [0, 1) if it is seen.
double place_of(int64_t i, int64_t n, double start, double length) {
  return ((static_cast<double>(i) + 0.5) / static_cast<double>(n) - start) / length;
}

bool is_seen(double place) { return place >= 0 && place < 1; }

}  // namespace

const std::array<Colour, kHeatPoints>& heat_points() {
  static const std::array<Colour, kHeatPoints> points = {{{68, 1, 84},
                                                          {71, 44, 122},
                                                          {59, 81, 139},
                                                          {44, 113, 142},
                                                          {33, 144, 141},
                                                          {39, 173, 129},
                                                          {92, 200, 99},
                                                          {170, 220, 50},
                                                          {253, 231, 37}}};
  return points;
}

Colour heat_colour(double value) {
  const double at = std::clamp(value, 0.0, 1.0) * (kHeatPoints - 1);
  const auto low = std::min(static_cast<size_t>(at), kHeatPoints - 2);
  const double part = at - static_cast<double>(low);
  Colour colour;
  for (size_t c = 0; c < 3; ++c) colour[c] = heat_points()[low][c] * (1 - part) + heat_points()[low + 1][c] * part;
  return colour;
}

SeenPart seen_part(const Preprocessing& p, int64_t h, int64_t w) {
  const PictureGeometry g = picture_geometry(p, h, w);
  const auto height = static_cast<double>(g.height), width = static_cast<double>(g.width);
  return {static_cast<double>(g.top) / height, static_cast<double>(g.left) / width, static_cast<double>(p.height) / height,
          static_cast<double>(p.width) / width};
}

Tensor upsampled(const Tensor& map, const SeenPart& seen, int64_t h, int64_t w) {
  check(map.dim() == 2 && map.numel() > 0, ErrorKind::kShape, "upsampled", "a map is [gh, gw]: it is ", map.shape());
  const int64_t rows = map.size(0), columns = map.size(1);
  const Tensor values = contiguous(to(map, Dtype::f64));
  const double* m = values.data<double>();
  Tensor result = full({h, w}, std::numeric_limits<double>::quiet_NaN(), Dtype::f64);
  double* out = result.mutable_data<double>();
  parallel_for(h, 16, [&](int64_t begin, int64_t end) {
    for (int64_t y = begin; y < end; ++y) {
      const double down = place_of(y, h, seen.top, seen.height);
      if (!is_seen(down)) continue;
      const Between v = between(down, rows);
      for (int64_t x = 0; x < w; ++x) {
        const double across = place_of(x, w, seen.left, seen.width);
        if (!is_seen(across)) continue;
        const Between u = between(across, columns);
        const auto row = [&](int64_t r) { return m[r * columns + u.low] * (1 - u.part) + m[r * columns + u.high] * u.part; };
        out[y * w + x] = row(v.low) * (1 - v.part) + row(v.high) * v.part;
      }
    }
  });
  return result;
}

Tensor stretched(const Tensor& x) {
  const std::vector<double> values = to_vector<double>(x);
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const double v : values)
    if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
  const double range = high > low ? high - low : std::numeric_limits<double>::infinity();
  std::vector<double> result;
  result.reserve(values.size());
  for (const double v : values) result.push_back(std::isfinite(v) ? (v - low) / range : v);
  return from_vector(result, x.shape());
}

Tensor overlay(const Tensor& picture, const Tensor& map, const SeenPart& seen) {
  const Tensor base = contiguous(convert_channels(picture, 3));
  const int64_t h = base.size(1), w = base.size(2), plane = h * w;
  const Tensor heat = upsampled(stretched(map), seen, h, w);
  Tensor result = clone(base);
  const double* value = heat.data<double>();
  uint8_t* out = result.mutable_data<uint8_t>();
  parallel_for(plane, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (std::isnan(value[i])) continue;
      const Colour colour = heat_colour(value[i]);
      const double part = heat_part(value[i]);
      for (int64_t c = 0; c < 3; ++c) {
        uint8_t& pixel = out[c * plane + i];
        pixel = static_cast<uint8_t>(std::lround((1 - part) * pixel + part * colour[static_cast<size_t>(c)]));
      }
    }
  });
  return result;
}

}  // namespace vitrail::models::explain
