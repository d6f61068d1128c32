#include "labs/common/lab.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "tensor/shape.h"
#include "tensor/view.h"

namespace lab {
namespace {

// Row-major, computed here: the tests of lab 1 must not depend on what its students write.
std::vector<int64_t> index_of(int64_t number, const vitrail::Shape& shape) {
  std::vector<int64_t> index(static_cast<size_t>(shape.size()));
  for (int axis = shape.size() - 1; axis >= 0; --axis) {
    index[static_cast<size_t>(axis)] = number % shape[axis];
    number /= shape[axis];
  }
  return index;
}

std::string text_of(double value, int digits) {
  char text[40];
  std::snprintf(text, sizeof text, "%.*g", digits, value == 0 ? 0.0 : value);
  return text;
}

}  // namespace

uint64_t seed() {
  static const uint64_t value = [] {
    const char* text = std::getenv("LAB_SEED");
    return text ? std::strtoull(text, nullptr, 10) : 1;
  }();
  return value;
}

vitrail::Tensor random(const vitrail::Shape& shape, uint64_t stream, double mean, double deviation, vitrail::Dtype dtype) {
  const vitrail::Rng rng(seed() * 1000003 + stream);
  if (shape.size() < 2) return vitrail::rand_normal(shape, mean, deviation, rng, dtype);
  vitrail::Shape turned = shape;
  std::swap(turned[shape.size() - 1], turned[shape.size() - 2]);
  return vitrail::transpose(vitrail::rand_normal(turned, mean, deviation, rng, dtype), shape.size() - 2, shape.size() - 1);
}

std::string difference(const vitrail::Tensor& x, const vitrail::Tensor& y, double tolerance) {
  if (!x.defined()) return "nothing was given";
  if (x.shape() != y.shape()) return "the shape is " + to_string(x.shape()) + ", it should be " + to_string(y.shape());
  int64_t wrong = 0;
  std::string first;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const std::vector<int64_t> index = index_of(i, x.shape());
    const double a = x.at(index), b = y.at(index);
    const bool same = (std::isnan(a) && std::isnan(b)) || a == b || std::abs(a - b) <= tolerance * (1 + std::abs(b));
    if (same || ++wrong > 1) continue;
    const int count = text_of(a, 8) == text_of(b, 8) ? 17 : 8;
    first = "element " + to_string(vitrail::Shape(index)) + " is " + text_of(a, count) + ", it should be " + text_of(b, count);
  }
  if (wrong == 0) return "";
  return first + " (" + std::to_string(wrong) + " of " + std::to_string(x.numel()) + " elements are wrong)";
}

std::string digits(const vitrail::Tensor& x, int digits) {
  if (!x.defined()) return "undefined";
  std::string text = to_string(x.shape());
  for (int64_t i = 0; i < x.numel(); ++i) text += " " + text_of(x.at(index_of(i, x.shape())), digits);
  return text;
}

std::string digits(const std::vector<double>& x, int digits) {
  std::string text;
  for (const double value : x) text += text_of(value, digits) + " ";
  return text;
}

}  // namespace lab
