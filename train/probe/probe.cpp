#include "train/probe/probe.h"

#include <chrono>
#include <cstdio>

#include "tensor/ops.h"
#include "train/probe/head.h"
#include "train/probe/logistic.h"
#include "train/probe/neighbours.h"
#include "train/probe/ridge.h"
#include "train/probe/scale.h"

namespace vitrail {
namespace {

std::string text(const char* format, double x) {
  char line[64];
  std::snprintf(line, sizeof line, format, x);
  return line;
}

void test_head(ProbeResult& result, const FeatureSet& test) {
  const ScoreQuality quality = quality_of(apply_head(*result.head, test.features), test.labels);
  result.test_accuracy = quality.accuracy, result.test_loss = quality.log_loss;
}

ProbeResult ridge(const StandardFeatures& features, const FeatureSet& train, const FeatureSet& test, int64_t classes) {
  const RidgeProbe fit = fit_ridge(features, train.labels, classes);
  ProbeResult result;
  result.method = "ridge";
  result.setting = text("penalty %.3g N", fit.chosen.penalty);
  result.held_out_accuracy = fit.chosen.accuracy;
  result.head = fit.head;
  test_head(result, test);
  return result;
}

ProbeResult logistic(const StandardFeatures& features, const FeatureSet& train, const FeatureSet& test, int64_t classes) {
  const LogisticProbe fit = fit_logistic(features, train.labels, classes);
  ProbeResult result;
  result.method = "logistic";
  result.setting = text("penalty %.3g", fit.penalty);
  if (!fit.converged) result.setting += cat(", not converged after ", fit.iterations, " iterations");
  result.held_out_accuracy = fit.accuracy;
  result.head = fit.head;
  test_head(result, test);
  return result;
}

ProbeResult knn(const FeatureSet& train, const FeatureSet& test, int64_t classes) {
  const Tensor bank = unit_rows(train.features);
  const NeighbourChoice choice = choose_neighbours(bank, train.labels, classes);
  ProbeResult result;
  result.method = "knn";
  result.setting = cat(choice.k, choice.k == 1 ? " neighbour" : " neighbours");
  result.held_out_accuracy = choice.accuracy;
  const Tensor votes = neighbour_votes(nearest_rows(bank, unit_rows(test.features), choice.k), train.labels, classes, choice.k);
  // A class without a vote would have an infinite loss: each gets a thousandth of one.
  const ScoreQuality quality = quality_of(log(votes + 1e-3), test.labels);
  result.test_accuracy = quality.accuracy, result.test_loss = quality.log_loss;
  return result;
}

template <class Fn>
ProbeResult timed(Fn&& fit) {
  const auto start = std::chrono::steady_clock::now();
  ProbeResult result = fit();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace

ProbeReport run_probes(const FeatureSet& train, const FeatureSet& test, int64_t classes) {
  check(train.size() >= 2 && test.size() >= 1 && train.features.size(1) == test.features.size(1), ErrorKind::kValue, "probe",
        "needs features of at least 2 training pictures and a test picture, of one width: they are ", train.features.shape(),
        " and ", test.features.shape());
  ProbeReport report;
  report.results.push_back(timed([&] { return ridge(standardised(train.features), train, test, classes); }));
  report.results.push_back(timed([&] { return logistic(standardised(train.features), train, test, classes); }));
  report.results.push_back(timed([&] { return knn(train, test, classes); }));
  report.best_linear = report.results[1].held_out_accuracy > report.results[0].held_out_accuracy;
  return report;
}

}  // namespace vitrail
