// Which input pixels each output pixel reads, and with which weights.
#include "tensor/kernels/resize_weights.h"

#include <algorithm>
#include <cmath>

namespace vitrail::detail {
namespace {

// Keys' piecewise cubic (1981, equation 8) with free coefficient a.
double cubic(double x, double a) {
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return a * (((x - 5) * x + 8) * x - 4);
  return 0;
}

double filter(Interpolation mode, double x, double a) {
  return mode == Interpolation::kBicubic ? cubic(x, a) : std::max(0.0, 1 - std::abs(x));
}

// Two (bilinear) or four (bicubic) neighbours of the source position; those beyond the border are replaced by the border pixel.
void append_interpolated(AxisWeights& w, int64_t i, const ResizeOptions& o, double scale) {
  // LAB 8.4 BEGIN  Where output i lies among the inputs, and the weights of its neighbours; beyond the border: the border.
  const double in = static_cast<double>(w.in), out = static_cast<double>(w.out);
  const double corner = w.out > 1 ? static_cast<double>(i) * (in - 1) / (out - 1) : 0.0;
  const double edge = static_cast<double>(i) + 0.5, centre = (scale > 0 ? edge / scale : edge * in / out) - 0.5;
  const double source = o.align_corners ? corner : centre;
  const int64_t radius = o.mode == Interpolation::kBicubic ? 2 : 1;
  const int64_t base = static_cast<int64_t>(std::floor(source));
  const auto clamped = [&](int64_t j) { return std::clamp<int64_t>(j, 0, w.in - 1); };
  const int64_t first = clamped(base - radius + 1);
  std::vector<double> taps(clamped(base + radius) - first + 1, 0.0);
  for (int64_t j = base - radius + 1; j <= base + radius; ++j) {
    taps[clamped(j) - first] += filter(o.mode, source - static_cast<double>(j), -0.75);
  }
  w.append(first, taps);
  // LAB 8.4 END
}

// The filter widened by the down-scaling factor, over the pixels inside the image, scaled to sum to one.
void append_antialiased(AxisWeights& w, int64_t i, const ResizeOptions& o) {
  const double scale = static_cast<double>(w.in) / static_cast<double>(w.out), widening = std::max(scale, 1.0);
  const double support = (o.mode == Interpolation::kBicubic ? 2.0 : 1.0) * widening;
  const double centre = (static_cast<double>(i) + 0.5) * scale;
  const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(centre - support + 0.5));
  const int64_t last = std::min(w.in, static_cast<int64_t>(centre + support + 0.5));
  std::vector<double> taps(last - first);
  double sum = 0;
  for (int64_t j = first; j < last; ++j) {
    taps[j - first] = filter(o.mode, (static_cast<double>(j) + 0.5 - centre) / widening, -0.5);
    sum += taps[j - first];
  }
  for (double& tap : taps) tap /= sum;
  w.append(first, taps);
}

}  // namespace

// Zeros at both ends are left out: 0 * inf must not become NaN in an output that does not need that pixel.
void AxisWeights::append(int64_t first, const std::vector<double>& taps) {
  auto begin = taps.begin(), end = taps.end();
  while (begin != end && *begin == 0) ++begin;
  while (begin != end && *(end - 1) == 0) --end;
  start.push_back(first + (begin - taps.begin()));
  count.push_back(end - begin);
  offset.push_back(static_cast<int64_t>(weights.size()));
  weights.insert(weights.end(), begin, end);
}

AxisWeights axis_weights(int64_t in, int64_t out, const ResizeOptions& o, double scale) {
  AxisWeights w;
  w.in = in, w.out = out;
  for (int64_t i = 0; i < out; ++i) {
    if (o.mode == Interpolation::kNearest) {
      w.append(i * in / out, {1.0});
    } else if (o.antialias) {
      append_antialiased(w, i, o);
    } else {
      append_interpolated(w, i, o, scale);
    }
  }
  return w;
}

AxisWeights transposed(const AxisWeights& w) {
  std::vector<int64_t> first(w.in, w.out), last(w.in, 0);  // outputs [first, last) read each input
  for (int64_t i = 0; i < w.out; ++i) {
    for (int64_t j = w.start[i]; j < w.start[i] + w.count[i]; ++j) {
      first[j] = std::min(first[j], i);
      last[j] = i + 1;
    }
  }
  AxisWeights t;
  t.in = w.out, t.out = w.in;
  std::vector<double> taps;
  for (int64_t j = 0; j < w.in; ++j) {
    taps.clear();
    for (int64_t i = first[j]; i < last[j]; ++i) {
      const int64_t k = j - w.start[i];
      taps.push_back(k >= 0 && k < w.count[i] ? w.weights[w.offset[i] + k] : 0.0);
    }
    t.append(taps.empty() ? 0 : first[j], taps);
  }
  return t;
}

}  // namespace vitrail::detail
