// The score that chooses the best model of a run.
#include <doctest/doctest.h>

#include <optional>

#include "tests/support/learn_helpers.h"
#include "train/early_stop.h"
#include "train/metrics_log.h"
#include "train/task/classification.h"
#include "train/trainer.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

ClassificationTask task_for(models::Classifier& model, const DatasetPtr& data, const TrainConfig& config) {
  return ClassificationTask(model, classification_options(config, preprocessing_for(model, data->info()), data->class_names()));
}

TrainResult run_with(const TrainConfig& config, const DatasetPtr& data, const DatasetPtr& test) {
  const auto model = tiny_vit(data->info());
  ClassificationTask task = task_for(*model, data, config);
  return Trainer(task, data, test, config, {.quiet = true}).run();
}

}  // namespace

TEST_CASE("macro-F1 and balanced accuracy are those of scikit-learn on the same answers") {
  // y_true = [0]*6 + [1]*3 + [2], y_pred = [0,0,0,0,1,3, 1,1,0, 0]; f1_score(average="macro") and balanced_accuracy_score.
  ConfusionMatrix matrix(5);
  const std::vector<int64_t> truth{0, 0, 0, 0, 0, 0, 1, 1, 1, 2}, answer{0, 0, 0, 0, 1, 3, 1, 1, 0, 0};
  for (size_t i = 0; i < truth.size(); ++i) matrix.add(truth[i], answer[i]);
  // F1: 8/12, 4/6, 0 and 0 (class 3 is only an answer); class 4 is neither. Recall: 4/6, 2/3, 0.
  CHECK(matrix.macro_f1() == doctest::Approx((8.0 / 12 + 4.0 / 6) / 4));
  CHECK(matrix.balanced_accuracy() == doctest::Approx((4.0 / 6 + 2.0 / 3) / 3));
  CHECK(ConfusionMatrix(3).macro_f1() == 0);
  CHECK(ConfusionMatrix(3).balanced_accuracy() == 0);
}

TEST_CASE("a score is found in either spelling, stands first where it was chosen, and a slip gets the nearest name") {
  const Scores scores{{"top1", "top-1", 0.9}, {"loss", "loss", 0.4, ScoreUnit::kNumber, false}},
      more{{"macro_f1", "macro-F1", 0.7}};
  CHECK(with_first(scores, more, "first").front().name == "top1");
  const Scores chosen = with_first(scores, more, "macro-f1");
  REQUIRE(chosen.size() == 3);
  CHECK(chosen[0].value == 0.7);
  CHECK(chosen[1].name == "top1");
  CHECK(with_first(scores, more, "macro_f1").front().name == "macro_f1");
  CHECK(with_first(scores, more, "loss").size() == 2);
  CHECK(with_first(scores, more, "loss")[1].name == "top1");
  CHECK_THROWS_WITH_AS(with_first(scores, more, "macro-f"),
                       doctest::Contains("no score macro-f. Hint: did you mean macro-f1? It is one of top1, loss, macro-f1"),
                       Error);
}

TEST_CASE("the best epoch is that of the chosen score, and a run that is resumed remembers it") {
  const DatasetPtr data = glyphs(60), test = glyphs(40, Split::kTest);
  for (const std::string metric : {"first", "loss", "top5", "macro-f1", "balanced-accuracy"}) {
    CAPTURE(metric);
    TrainConfig config = quick(6, 20);
    config.eval_metric = metric;
    const TrainResult result = run_with(config, data, test);
    std::optional<double> best;
    for (const EpochReport& report : result.history) {
      const Score& first = report.test->scores.front();
      CHECK(first.name == (metric == "first" ? "top1" : score_key(metric)));
      const bool better = !best || (first.larger_is_better ? first.value > *best : first.value < *best);
      CHECK(report.best == better);
      if (better) best = first.value;
      CHECK(metrics_row(report).find("test_macro_f1").has_value() == (metric == "macro-f1"));
    }
  }
  TrainConfig config = quick(4, 20);
  config.eval_metric = "macro-f1";
  const auto model = tiny_vit(data->info());
  ClassificationTask task = task_for(*model, data, config);
  Trainer whole(task, data, test, config, {.quiet = true});
  for (int i = 0; i < 7; ++i) whole.step();
  const RunState middle = whole.state();
  while (whole.step()) {
  }
  const auto other = tiny_vit(data->info(), 5);
  ClassificationTask again = task_for(*other, data, config);
  Trainer second(again, data, test, config, {.quiet = true});
  second.restore(run_state_from_json(to_json(middle), "state").config == config ? middle : RunState{});
  while (second.step()) {
  }
  CHECK(differences(second.state(), whole.state()).empty());
}

TEST_CASE("early stopping watches the first score, which is the chosen one, unless it has one of its own") {
  TrainConfig config;
  config.patience = 1;
  // The chosen score gets worse while the other gets better.
  const auto test = [](double chosen, double other) {
    return Scores{{"macro_f1", "macro-F1", chosen}, {"top1", "top-1", other}};
  };
  EarlyStop first(config);
  CHECK(!first.add(test(0.5, 0.5), 1));
  CHECK(first.add(test(0.4, 0.6), 2));
  config.stop_metric = "top1";
  EarlyStop own(config);
  CHECK(!own.add(test(0.5, 0.5), 1));
  CHECK(!own.add(test(0.4, 0.6), 2));
}

TEST_CASE("patience watches the chosen score unless it has one of its own") {
  const DatasetPtr data = glyphs(40);
  TrainConfig config = quick(8, 20);
  config.lr = config.min_lr = 1e-30, config.schedule = "constant", config.weight_decay = 0;
  config.patience = 2, config.eval_metric = "balanced-accuracy";
  CHECK(run_with(config, data, data).history.size() == 3);
  config.stop_metric = "macro-f1";
  CHECK(run_with(config, data, data).history.size() == 3);
}

TEST_CASE("a chosen score that does not exist, or without a test, is refused before anything is trained") {
  const DatasetPtr data = glyphs(20);
  TrainConfig config = quick(1, 20);
  config.eval_metric = "macrof1";
  CHECK_THROWS_WITH_AS(run_with(config, data, data), doctest::Contains("did you mean macro-f1?"), Error);
  config.eval_metric = "loss";
  CHECK_THROWS_WITH_AS(run_with(config, data, nullptr),
                       doctest::Contains("eval_metric needs images to test on: it is \"loss\""), Error);
}
