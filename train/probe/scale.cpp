#include "train/probe/scale.h"

#include <algorithm>
#include <cmath>

#include "tensor/machine/parallel.h"
#include "tensor/ops.h"

namespace vitrail {
namespace {

void check_labels(const Tensor& scores, const std::vector<int64_t>& labels) {
  check(scores.dim() == 2 && scores.size(0) == static_cast<int64_t>(labels.size()) && scores.size(0) >= 1, ErrorKind::kShape,
        "probe", "needs scores [N, K] and N labels: scores is ", scores.shape(), ", labels are ", labels.size());
  for (const int64_t label : labels)
    check(label >= 0 && label < scores.size(1), ErrorKind::kValue, "probe", "label outside [0, ", scores.size(1), "): it is ",
          label);
}

// d/db of log sum e^(b s) - sum t s: the mean score under softmax minus the wanted one.
double slope(const double* row, int64_t classes, int64_t label, double b, double wanted, double other) {
  const double most = *std::max_element(row, row + classes);
  double total = 0, weighted = 0, target = 0;
  for (int64_t k = 0; k < classes; ++k) {
    const double e = std::exp(b * (row[k] - most));
    total += e;
    weighted += e * row[k];
    target += (k == label ? wanted : other) * row[k];
  }
  return weighted / total - target;
}

}  // namespace

double calibrated_scale(const Tensor& given_scores, const std::vector<int64_t>& labels) {
  constexpr int64_t kMostRows = 5000;
  constexpr double kLeast = 1e-3, kMost = 1e3;
  check_labels(given_scores, labels);
  const Tensor scores = contiguous(to(given_scores, Dtype::f64));
  const int64_t n = scores.size(0), classes = scores.size(1), rows = std::min(n, kMostRows);
  const double wanted = static_cast<double>(n + 1) / static_cast<double>(n + classes),
               other = 1 / static_cast<double>(n + classes);
  const auto total_slope = [&](double b) {
    return parallel_reduce(
        rows, 256, 0.0,
        [&](int64_t begin, int64_t end) {
          double sum = 0;
          for (int64_t r = begin; r < end; ++r) {
            const int64_t i = r * n / rows;
            sum += slope(scores.data<double>() + i * classes, classes, labels[static_cast<size_t>(i)], b, wanted, other);
          }
          return sum;
        },
        [](double a, double b2) { return a + b2; });
  };
  double low = std::log(kLeast), high = std::log(kMost);
  for (int step = 0; step < 40; ++step) {
    const double middle = 0.5 * (low + high);
    (total_slope(std::exp(middle)) < 0 ? low : high) = middle;
  }
  return std::exp(0.5 * (low + high));
}

ScoreQuality quality_of(const Tensor& given_scores, const std::vector<int64_t>& labels, double scale) {
  check_labels(given_scores, labels);
  const Tensor scores = contiguous(to(given_scores, Dtype::f64));
  const int64_t n = scores.size(0), classes = scores.size(1);
  ScoreQuality sum;
  for (int64_t i = 0; i < n; ++i) {
    const double* row = scores.data<double>() + i * classes;
    const int64_t label = labels[static_cast<size_t>(i)];
    const int64_t answer = std::max_element(row, row + classes) - row;
    double total = 0;
    for (int64_t k = 0; k < classes; ++k) total += std::exp(scale * (row[k] - row[answer]));
    sum.log_loss += std::log(total) - scale * (row[label] - row[answer]);
    sum.accuracy += answer == label;
  }
  return {sum.log_loss / static_cast<double>(n), sum.accuracy / static_cast<double>(n)};
}

}  // namespace vitrail
