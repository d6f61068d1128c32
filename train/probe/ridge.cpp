#include "train/probe/ridge.h"

#include <algorithm>
#include <cmath>

#include "tensor/ops.h"
#include "train/probe/scale.h"

namespace vitrail {
namespace {

constexpr int64_t kRows = 1024;  // of the features that are projected at a time

// X = Z V^T with Z^T Z = diag(values): the directions in which the features differ at all.
struct Spectrum {
  Tensor directions;           // f64 [D, R]: V
  std::vector<double> values;  // R, above 0
};

Spectrum spectrum_of(const Tensor& x) {
  const bool tall = x.size(0) >= x.size(1);
  const Tensor xt = transpose(x, 0, 1);
  const auto [values, vectors] = eigh(tall ? matmul(xt, x) : matmul(x, xt));
  const std::vector<double> all = to_vector<double>(values);
  // Below, a value is rounding: of centred features at least one is 0 where N <= D.
  const double least = all.empty() ? 0 : all.back() * 1e-13 * static_cast<double>(all.size());
  const auto first = static_cast<int64_t>(std::upper_bound(all.begin(), all.end(), std::max(least, 0.0)) - all.begin());
  Spectrum result{{}, {all.begin() + first, all.end()}};
  const Tensor kept = slice(vectors, 1, first, vectors.size(1));
  const auto rank = static_cast<int64_t>(result.values.size());
  if (tall) {
    result.directions = contiguous(kept);
  } else {  // v = X^T u / sqrt(s)
    result.directions = matmul(xt, kept) / sqrt(from_vector(result.values, {1, rank}));
  }
  return result;
}

// y_ik minus its mean over the pictures, and those means.
struct Targets {
  Tensor centred;             // f64 [N, K]
  std::vector<double> means;  // K
};

Targets targets_of(const std::vector<int64_t>& labels, int64_t classes) {
  const auto n = static_cast<int64_t>(labels.size());
  Targets result{full({n, classes}, -1, Dtype::f64), {}};
  double* y = result.centred.mutable_data<double>();
  for (int64_t i = 0; i < n; ++i) y[i * classes + labels[static_cast<size_t>(i)]] = 1;
  const Tensor means = mean(result.centred, {0}, true);
  result.means = to_vector<double>(means);
  result.centred = result.centred - means;
  return result;
}

// What every penalty needs of all pictures.
struct Problem {
  const Tensor& x;  // f64 [N, D]
  const std::vector<int64_t>& labels;
  int64_t classes;
  Spectrum spectrum;
  Targets targets;
  Tensor projected;  // f64 [R, K] = Z^T Y

  int64_t size() const { return x.size(0); }
  int64_t rank() const { return static_cast<int64_t>(spectrum.values.size()); }
  Tensor rows(int64_t begin, int64_t end) const { return matmul(slice(x, 0, begin, end), spectrum.directions); }  // of Z
  // f64 [R, 1]: 1 / (s + lambda)
  Tensor shrunk(double penalty) const {
    std::vector<double> factors;
    for (const double s : spectrum.values) factors.push_back(1 / (s + penalty * static_cast<double>(size())));
    return from_vector(factors, {rank(), 1});
  }
};

Problem problem_of(const Tensor& x, const std::vector<int64_t>& labels, int64_t classes) {
  Problem p{x, labels, classes, spectrum_of(x), targets_of(labels, classes), {}};
  p.projected = matmul(transpose(p.spectrum.directions, 0, 1), matmul(transpose(x, 0, 1), p.targets.centred));
  return p;
}

// The leave-one-out scores f64 [end - begin, K] of the pictures [begin, end) for one penalty.
Tensor left_out_scores(const Problem& p, const Tensor& z, int64_t begin, int64_t end, double penalty) {
  const Tensor factor = p.shrunk(penalty);
  const Tensor fitted = matmul(z, p.projected * factor);  // centred
  Tensor scores = clone(slice(p.targets.centred, 0, begin, end));
  const Tensor hats = matmul(z * z, factor);  // h_i, without the 1 / N of the intercept
  const int64_t rows = end - begin;
  double* y = scores.mutable_data<double>();
  for (int64_t i = 0; i < rows; ++i) {
    // LAB 8.6 BEGIN  Row i of y holds y_i - mean. It becomes the scores of picture i by a fit to all the others.
    // The intercept is a feature without penalty: 1 / N of the hat matrix. Of a picture that fits itself nothing is left.
    const double rest = std::max(1e-12, 1 - 1 / static_cast<double>(p.size()) - hats.data<double>()[i]);
    for (int64_t k = 0; k < p.classes; ++k) {
      double& value = y[i * p.classes + k];
      value += p.targets.means[static_cast<size_t>(k)] - (value - fitted.data<double>()[i * p.classes + k]) / rest;
    }
    // LAB 8.6 END
  }
  return scores;
}

// Adds the pictures [begin, end), whose scores these are.
void add_scores(PenaltyScore& sum, const Problem& p, const Tensor& scores, int64_t begin) {
  for (int64_t i = 0; i < scores.size(0); ++i) {
    const double* row = scores.data<double>() + i * p.classes;
    const int64_t label = p.labels[static_cast<size_t>(begin + i)];
    for (int64_t k = 0; k < p.classes; ++k) {
      const double error = (k == label ? 1 : -1) - row[k];
      sum.error += error * error;
    }
    sum.accuracy += std::max_element(row, row + p.classes) - row == label;
  }
}

std::vector<PenaltyScore> compare(const Problem& p, const std::vector<double>& penalties) {
  std::vector<PenaltyScore> scores;
  for (const double penalty : penalties) scores.push_back({penalty});
  for (int64_t begin = 0; begin < p.size(); begin += kRows) {
    const int64_t end = std::min(begin + kRows, p.size());
    const Tensor z = p.rows(begin, end);
    for (PenaltyScore& sum : scores) add_scores(sum, p, left_out_scores(p, z, begin, end, sum.penalty), begin);
  }
  for (PenaltyScore& sum : scores) {
    sum.error /= static_cast<double>(p.size() * p.classes);
    sum.accuracy /= static_cast<double>(p.size());
  }
  return scores;
}

void check_input(const StandardFeatures& features, const std::vector<int64_t>& labels, int64_t classes,
                 const std::vector<double>& penalties) {
  const int64_t n = features.values.size(0);
  check(static_cast<int64_t>(labels.size()) == n && n >= 2, ErrorKind::kValue, "ridge",
        "needs a label for each of at least 2 pictures: features are ", features.values.shape(), ", labels ", labels.size());
  check(classes >= 2, ErrorKind::kValue, "ridge", "needs at least 2 classes: there are ", classes);
  for (const int64_t label : labels)
    check(label >= 0 && label < classes, ErrorKind::kValue, "ridge", "label outside [0, ", classes, "): it is ", label);
  check(!penalties.empty(), ErrorKind::kValue, "ridge", "there is no penalty to choose from.");
  for (const double penalty : penalties)
    check(std::isfinite(penalty) && penalty > 0, ErrorKind::kValue, "ridge", "penalties must be above 0: one is ", penalty);
}

}  // namespace

std::vector<double> ridge_penalties() {
  std::vector<double> penalties;
  for (int half = -10; half <= 6; ++half) penalties.push_back(std::pow(10, 0.5 * half));
  return penalties;
}

RidgeProbe fit_ridge(const StandardFeatures& features, const std::vector<int64_t>& labels, int64_t classes,
                     const std::vector<double>& penalties) {
  check_input(features, labels, classes, penalties);
  const Problem p = problem_of(features.values, labels, classes);
  RidgeProbe result;
  result.scores = compare(p, penalties);
  result.chosen = *std::min_element(result.scores.begin(), result.scores.end(),
                                    [](const PenaltyScore& a, const PenaltyScore& b) { return a.error < b.error; });
  const double penalty = result.chosen.penalty;
  std::vector<Tensor> parts;
  for (int64_t begin = 0; begin < p.size(); begin += kRows) {
    const int64_t end = std::min(begin + kRows, p.size());
    parts.push_back(left_out_scores(p, p.rows(begin, end), begin, end, penalty));
  }
  const Tensor scores = concat(parts, 0);
  result.scale = calibrated_scale(scores, labels);
  result.log_loss = quality_of(scores, labels, result.scale).log_loss;
  const Tensor weight = transpose(matmul(p.spectrum.directions, p.projected * p.shrunk(penalty)), 0, 1);  // [K, D]
  result.head =
      on_raw_features(contiguous(weight) * result.scale, from_vector(p.targets.means, {classes}) * result.scale, features);
  return result;
}

}  // namespace vitrail
