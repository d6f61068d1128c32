#include "train/probe/logistic.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "train/probe/scale.h"

namespace vitrail {
namespace {

// Parameters [K, D + 1] as weight [K, D] and bias [K].
struct Parameters {
  Tensor weight, bias;
};

Parameters unpacked(const std::vector<double>& x, int64_t classes) {
  const auto columns = static_cast<int64_t>(x.size()) / classes;
  const Tensor all = from_vector(x, {classes, columns});
  return {contiguous(slice(all, 1, 0, columns - 1)), contiguous(select(all, 1, columns - 1))};
}

Tensor scores_of(const Tensor& x, const Parameters& p) { return matmul(x, transpose(p.weight, 0, 1)) + p.bias; }

// scores [N, K] become softmax - one_hot; the sum of the cross-entropies.
double into_residuals(Tensor& scores, const std::vector<int64_t>& labels) {
  const int64_t classes = scores.size(1);
  double* values = scores.mutable_data<double>();
  return parallel_reduce(
      scores.size(0), std::max<int64_t>(1, 8192 / classes), 0.0,
      [&](int64_t begin, int64_t end) {
        double loss = 0;
        for (int64_t i = begin; i < end; ++i) {
          double *row = values + i * classes, total = 0;
          const double most = *std::max_element(row, row + classes);
          const int64_t label = labels[static_cast<size_t>(i)];
          const double right = row[label];
          for (int64_t k = 0; k < classes; ++k) total += row[k] = std::exp(row[k] - most);
          for (int64_t k = 0; k < classes; ++k) row[k] /= total;
          row[label] -= 1;
          loss += std::log(total) + most - right;
        }
        return loss;
      },
      [](double a, double b) { return a + b; });
}

struct Part {
  Tensor x;
  std::vector<int64_t> labels;
};

Part part_of(const Tensor& x, const std::vector<int64_t>& labels, const std::vector<int64_t>& rows) {
  Part part{index_select(x, 0, from_vector(rows, {static_cast<int64_t>(rows.size())})), {}};
  for (const int64_t row : rows) part.labels.push_back(labels[static_cast<size_t>(row)]);
  return part;
}

// What the penalties are compared on: for each fold what is fitted, what is held out, and the solution of the penalty before.
struct Fold {
  Part fitted, held;
  std::vector<double> solution;
};

// Stratified: the pictures of each class are dealt out in turn, and the next class goes on where one ended.
std::vector<Fold> make_folds(const Part& all, int64_t classes, int64_t count) {
  std::vector<std::vector<int64_t>> of_class(static_cast<size_t>(classes));
  for (size_t i = 0; i < all.labels.size(); ++i)
    of_class[static_cast<size_t>(all.labels[i])].push_back(static_cast<int64_t>(i));
  std::vector<int64_t> fold_of(all.labels.size());
  int64_t next = 0;
  for (const std::vector<int64_t>& rows : of_class)
    for (const int64_t row : rows) fold_of[static_cast<size_t>(row)] = next++ % count;
  std::vector<Fold> folds;
  for (int64_t f = 0; f < count; ++f) {
    std::vector<int64_t> in, out;
    for (size_t i = 0; i < fold_of.size(); ++i) (fold_of[i] == f ? out : in).push_back(static_cast<int64_t>(i));
    folds.push_back({part_of(all.x, all.labels, in), part_of(all.x, all.labels, out),
                     std::vector<double>(static_cast<size_t>(classes * (all.x.size(1) + 1)))});
  }
  return folds;
}

ScoreQuality held_out_quality(std::vector<Fold>& folds, int64_t classes, double penalty, const LbfgsOptions& solver) {
  ScoreQuality mean;
  int64_t pictures = 0;
  for (Fold& fold : folds) {
    fold.solution = solve_logistic(fold.fitted.x, fold.fitted.labels, classes, penalty, std::move(fold.solution), solver).x;
    const ScoreQuality q = quality_of(scores_of(fold.held.x, unpacked(fold.solution, classes)), fold.held.labels);
    const auto count = static_cast<int64_t>(fold.held.labels.size());
    mean.log_loss += q.log_loss * static_cast<double>(count);
    mean.accuracy += q.accuracy * static_cast<double>(count);
    pictures += count;
  }
  return {mean.log_loss / static_cast<double>(pictures), mean.accuracy / static_cast<double>(pictures)};
}

struct Choice {
  double penalty = 0;
  ScoreQuality quality{INFINITY, 0};
};

Choice choose_penalty(const Part& all, int64_t classes, const LogisticOptions& options) {
  LbfgsOptions rough = options.solver;  // the choice needs fewer digits than the solution
  rough.tolerance = std::max(rough.tolerance, 1e-4);
  std::vector<Fold> folds = make_folds(all, classes, std::min(options.folds, static_cast<int64_t>(all.labels.size())));
  Choice best;
  int64_t worse = 0;
  for (const double penalty : options.penalties) {
    const ScoreQuality quality = held_out_quality(folds, classes, penalty, rough);
    if (quality.log_loss < best.quality.log_loss) {
      best = {penalty, quality};
      worse = 0;
    } else if (++worse == 2) {
      break;
    }
  }
  return best;
}

}  // namespace

LbfgsResult solve_logistic(const Tensor& x, const std::vector<int64_t>& labels, int64_t classes, double penalty,
                           std::vector<double> start, const LbfgsOptions& options) {
  const int64_t n = x.size(0), d = x.size(1);
  const auto objective = [&](const std::vector<double>& w, std::vector<double>& gradient) {
    const Parameters p = unpacked(w, classes);
    Tensor residuals = scores_of(x, p);
    double value = into_residuals(residuals, labels) / static_cast<double>(n);
    const Tensor dw = matmul(transpose(residuals, 0, 1), x), db = sum(residuals, {0});
    const double *weight = p.weight.data<double>(), *from = dw.data<double>(), *bias = db.data<double>();
    double squares = 0;
    for (int64_t k = 0; k < classes; ++k) {
      double* to = gradient.data() + k * (d + 1);
      for (int64_t j = 0; j < d; ++j) {
        const double wkj = weight[k * d + j];
        to[j] = from[k * d + j] / static_cast<double>(n) + penalty * wkj;
        squares += wkj * wkj;
      }
      to[d] = bias[k] / static_cast<double>(n);
    }
    return value + 0.5 * penalty * squares;
  };
  return minimise(objective, std::move(start), options);
}

LogisticProbe fit_logistic(const StandardFeatures& features, const std::vector<int64_t>& labels, int64_t classes,
                           const LogisticOptions& options) {
  const int64_t n = features.values.size(0), d = features.values.size(1);
  check(static_cast<int64_t>(labels.size()) == n && n >= 2, ErrorKind::kValue, "logistic",
        "needs a label for each of at least 2 pictures: features are ", features.values.shape(), ", labels ", labels.size());
  check(classes >= 2, ErrorKind::kValue, "logistic", "needs at least 2 classes: there are ", classes);
  for (const int64_t label : labels)
    check(label >= 0 && label < classes, ErrorKind::kValue, "logistic", "label outside [0, ", classes, "): it is ", label);
  check(!options.penalties.empty() && options.folds >= 2, ErrorKind::kValue, "logistic",
        "needs penalties to choose from and at least 2 folds: there are ", options.penalties.size(), " and ", options.folds);
  const int64_t compared = std::min(n, options.most_for_choice);
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < compared; ++i) rows.push_back(i * n / compared);
  const Choice choice = choose_penalty(part_of(features.values, labels, rows), classes, options);
  const double penalty = choice.penalty * static_cast<double>(compared) / static_cast<double>(n);
  const LbfgsResult fit = solve_logistic(features.values, labels, classes, penalty,
                                         std::vector<double>(static_cast<size_t>(classes * (d + 1))), options.solver);
  const Parameters p = unpacked(fit.x, classes);
  return {on_raw_features(p.weight, p.bias, features),
          penalty,
          choice.quality.log_loss,
          choice.quality.accuracy,
          fit.iterations,
          fit.converged};
}

}  // namespace vitrail
