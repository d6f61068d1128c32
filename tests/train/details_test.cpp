// What an evaluation keeps for the report: confusions, calibration, pictures worth a look.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <set>

#include "tests/support/learn_helpers.h"
#include "tests/support/scratch_folder.h"
#include "train/calibration.h"
#include "train/evaluate.h"
#include "train/task/classification.h"

using namespace vitrail;
using namespace vitrail::testing;

TEST_CASE("calibration: the error is the mean distance of confidence and accuracy over the bins") {
  Calibration calibration(10);
  for (int i = 0; i < 8; ++i) calibration.add(0.95, i < 6);  // 75 % right
  for (int i = 0; i < 2; ++i) calibration.add(0.5, true);    // in (0.4, 0.5]
  CHECK(calibration.bins()[9].answers == 8);
  CHECK(calibration.bins()[9].accuracy() == 0.75);
  CHECK(calibration.bins()[4].answers == 2);
  CHECK(calibration.error() == doctest::Approx(0.8 * 0.2 + 0.2 * 0.5));
  CHECK(calibration.total().answers == 10);
  CHECK(calibration.total().confidence() == doctest::Approx(0.86));
  CHECK(Calibration().error() == 0);
  Calibration ends(4);
  ends.add(0, false), ends.add(1, true), ends.add(0.25, true);
  CHECK(ends.bins()[0].answers == 2);
  CHECK(ends.bins()[3].answers == 1);
  CHECK(refuses([&] { ends.add(1.5, true); }, ErrorKind::kNumeric, "lies in [0, 1]: it is 1.5"));
  CHECK(refuses([&] { ends.add(std::nan(""), true); }, ErrorKind::kNumeric, "confidence"));
  CHECK(refuses([] { Calibration none(0); }, ErrorKind::kValue, "bins must be in [1, 1000]: it is 0"));
}

TEST_CASE("the most frequent confusions come first, and many classes cost no square of memory") {
  ConfusionMatrix matrix(60000);
  for (const auto& [truth, predicted] : {std::pair<int64_t, int64_t>{5, 7}, {5, 7}, {1, 2}, {0, 1}, {59999, 59999}, {5, 5}})
    matrix.add(truth, predicted);
  const auto confusions = matrix.confusions();
  REQUIRE(confusions.size() == 3);
  CHECK(confusions[0].truth == 5);
  CHECK(confusions[0].predicted == 7);
  CHECK(confusions[0].count == 2);
  CHECK(confusions[1].truth == 0);
  CHECK(matrix.images(5) == 3);
  CHECK(matrix.recall(5) == doctest::Approx(1.0 / 3));
  CHECK(matrix.precision(7) == 0);
  CHECK(matrix.accuracy() == doctest::Approx(2.0 / 6));
}

TEST_CASE("the details of a classifier agree with its scores and with its answers, for any size of the batches") {
  const DatasetPtr data = glyphs(60);
  const auto model = tiny_vit(data->info(), 3);
  train_model(*model, data, nullptr, preprocessing_for(*model, data->info()), quick(8, 20), {.quiet = true});
  ClassificationTask task(*model, {preprocessing_for(*model, data->info()), data->class_names(), {}, 0});
  const Evaluation all = evaluate(task, data, 64), parts = evaluate(task, data, 7);
  REQUIRE(all.details);
  const EvaluationDetails& details = *all.details;
  CHECK(details.confusion->accuracy() == doctest::Approx(all.at("top1")));
  CHECK(details.calibration->total().accuracy() == doctest::Approx(all.at("top1")));
  CHECK(details.confusion->total() == 60);
  REQUIRE(all.at("top1") < 1);
  REQUIRE(all.at("top1") > 0);
  double before = std::numeric_limits<double>::infinity();
  for (const RankedSample& sample : details.worst) {
    const Prediction p = predict_one(task, data->sample(sample.index).image);
    CHECK(sample.truth == data->class_names()[data->label(sample.index)]);
    CHECK(sample.truth != sample.answer);
    CHECK(task.to_text(p, 1).starts_with(sample.answer + " "));
    CHECK(sample.loss <= before);
    before = sample.loss;
  }
  std::set<std::string> classes;
  for (const RankedSample& sample : details.best) {
    CHECK(sample.truth == sample.answer);
    CHECK(classes.insert(sample.truth).second);
  }
  CHECK(details.worst.size() <= kMostRanked);
  CHECK(!details.worst.empty());
  REQUIRE(parts.details->worst.size() == details.worst.size());
  for (size_t i = 0; i < details.worst.size(); ++i) CHECK(parts.details->worst[i].index == details.worst[i].index);
}

TEST_CASE("the history of a run holds no details: they are for the epoch's callback") {
  const DatasetPtr data = glyphs(20);
  const auto model = tiny_vit(data->info());
  TrainCallbacks callbacks;
  callbacks.quiet = true;
  int64_t seen = 0;
  callbacks.on_epoch = [&](const EpochReport& report) { seen += report.test->details != nullptr; };
  const TrainResult result = train_model(*model, data, data, preprocessing_for(*model, data->info()), quick(2, 10), callbacks);
  CHECK(seen == 2);
  for (const EpochReport& report : result.history) CHECK(report.test->details == nullptr);
}
