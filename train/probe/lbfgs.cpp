#include "train/probe/lbfgs.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace vitrail {
namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

void add(Vector& a, double factor, const Vector& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += factor * b[i];
}

double largest(const Vector& v) {
  double most = 0;
  for (const double x : v) most = std::isnan(x) ? x : std::max(most, std::abs(x));
  return most;
}

// y = B s to first order, B the Hessian.
struct Pair {
  Vector s, y;
  double inverse;  // 1 / (s y)
};

// -H g, H the approximate inverse Hessian of the pairs.
Vector direction(const std::deque<Pair>& pairs, const Vector& gradient) {
  Vector d = gradient;
  std::vector<double> alphas;
  for (auto pair = pairs.rbegin(); pair != pairs.rend(); ++pair) {
    alphas.push_back(pair->inverse * dot(pair->s, d));
    add(d, -alphas.back(), pair->y);
  }
  const double scale = pairs.empty() ? 1 : 1 / (pairs.back().inverse * dot(pairs.back().y, pairs.back().y));
  for (double& x : d) x *= scale;
  for (const Pair& pair : pairs) {
    const double beta = pair.inverse * dot(pair.y, d);
    add(d, alphas.back() - beta, pair.s);
    alphas.pop_back();
  }
  for (double& x : d) x = -x;
  return d;
}

struct Point {
  Vector x, gradient;
  double value;
};

// A point on the line that keeps the weak Wolfe conditions; false if there is none that rounding would let us see.
bool line_search(const Differentiable& function, const Point& from, const Vector& d, double step, Point& to,
                 int64_t& evaluations) {
  constexpr double kDecrease = 1e-4, kCurvature = 0.9, kRounding = 1e-13;
  constexpr int kMostTries = 50;
  const double slope = dot(from.gradient, d);
  if (!(slope < 0)) return false;
  double low = 0, high = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kMostTries; ++i) {
    to.x = from.x;
    add(to.x, step, d);
    to.value = function(to.x, to.gradient);
    ++evaluations;
    const double slope_there = dot(to.gradient, d);
    // Near the minimum the decrease is lost in rounding: there the slope says whether the value fell (Hager and Zhang, SIAM J.
    // Optim. 16, 2005, equation 4.1).
    const bool level = to.value <= from.value + kRounding * std::abs(from.value) && slope_there <= (2 * kDecrease - 1) * slope;
    if (!level && !(to.value <= from.value + kDecrease * step * slope)) {
      high = step;
    } else if (slope_there < kCurvature * slope) {
      low = step;
    } else {
      return true;
    }
    step = std::isinf(high) ? 2 * low : 0.5 * (low + high);
  }
  return to.value < from.value;
}

}  // namespace

LbfgsResult minimise(const Differentiable& function, std::vector<double> start, const LbfgsOptions& options) {
  LbfgsResult result;
  Point at{std::move(start), Vector(), 0}, next{{}, Vector(), 0};
  at.gradient.resize(at.x.size()), next.gradient.resize(at.x.size());
  at.value = function(at.x, at.gradient);
  result.evaluations = 1;
  check(std::isfinite(at.value) && std::isfinite(largest(at.gradient)), ErrorKind::kNumeric, "lbfgs",
        "value or gradient at the start is not finite: the value is ", at.value);
  std::deque<Pair> pairs;
  while (!(result.converged = largest(at.gradient) <= options.tolerance) && result.iterations < options.most_iterations) {
    const Vector d = direction(pairs, at.gradient);
    // Without pairs the gradient says nothing of the scale: a first step of length 1 at most.
    const double step = pairs.empty() ? std::min(1.0, 1 / std::sqrt(dot(d, d))) : 1;
    if (!line_search(function, at, d, step, next, result.evaluations)) break;
    Pair pair{next.x, next.gradient, 0};
    add(pair.s, -1, at.x);
    add(pair.y, -1, at.gradient);
    const double curvature = dot(pair.s, pair.y);
    if (curvature > 1e-14 * dot(pair.y, pair.y)) {
      pair.inverse = 1 / curvature;
      pairs.push_back(std::move(pair));
      if (static_cast<int64_t>(pairs.size()) > options.history) pairs.pop_front();
    }
    std::swap(at, next);
    ++result.iterations;
  }
  result.gradient = largest(at.gradient);
  result.value = at.value;
  result.x = std::move(at.x);
  return result;
}

}  // namespace vitrail
