// The weights of data/image/resample.cpp. The Makefile compiles this file with -ffp-contract=off.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/image/resample.h"

namespace vitrail {
namespace {

constexpr int kBits = 22;  // a byte times a weight, summed, fits 32 bits: 8 for the byte, 2 for sign and overshoot

double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double box(double x) { return x > -0.5 && x <= 0.5 ? 1 : 0; }

double bilinear(double x) { return std::abs(x) < 1 ? 1 - std::abs(x) : 0; }

double hamming(double x) {
  x = std::abs(x);
  if (x >= 1) return 0;
  // Pillow writes the two constants as floats.
  return sinc(x) * (0.54f + 0.46f * std::cos(x * std::numbers::pi));
}

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

double lanczos(double x) { return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

struct Filter {
  double (*value)(double x);
  double support;
};

Filter filter_of(Resample filter) {
  switch (filter) {
    case Resample::kBox: return {box, 0.5};
    case Resample::kBilinear: return {bilinear, 1};
    case Resample::kHamming: return {hamming, 1};
    case Resample::kBicubic: return {bicubic, 2};
    case Resample::kLanczos: return {lanczos, 3};
    case Resample::kNearest: break;
  }
  fail(ErrorKind::kValue, "resample", "this filter has no weights: ", static_cast<int>(filter));
}

int32_t fixed_point(double weight) {
  const double scaled = weight * (1 << kBits);
  return static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

}  // namespace

AxisWeights axis_weights(int64_t in, int64_t out, int64_t begin, int64_t end, Resample filter) {
  const Filter f = filter_of(filter);
  const double scale = static_cast<double>(in) / static_cast<double>(out), stretch = std::max(scale, 1.0);
  const double support = f.support * stretch, shrink = 1 / stretch;
  AxisWeights result;
  result.taps = 2 * static_cast<int64_t>(std::ceil(support)) + 1;
  result.weights.resize(static_cast<size_t>((end - begin) * result.taps));
  std::vector<double> row(static_cast<size_t>(result.taps));
  for (int64_t i = begin; i < end; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(static_cast<int64_t>(centre - support + 0.5), 0);
    const int64_t count = std::min(static_cast<int64_t>(centre + support + 0.5), in) - first;
    double sum = 0;
    for (int64_t j = 0; j < count; ++j) {
      row[j] = f.value((static_cast<double>(j + first) - centre + 0.5) * shrink);
      sum += row[j];
    }
    int32_t* weights = result.weights.data() + (i - begin) * result.taps;
    for (int64_t j = 0; j < count; ++j) weights[j] = fixed_point(sum != 0 ? row[j] / sum : row[j]);
    result.first.push_back(first);
    result.count.push_back(count);
  }
  return result;
}

std::vector<int64_t> nearest_pixels(int64_t in, int64_t out, int64_t begin, int64_t end) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  std::vector<int64_t> result;
  double position = scale * 0.5;
  for (int64_t i = 0; i < end; ++i, position += scale)
    if (i >= begin) result.push_back(std::min(static_cast<int64_t>(position), in - 1));
  return result;
}

}  // namespace vitrail
