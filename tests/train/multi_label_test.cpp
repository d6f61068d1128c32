// Any number of labels per picture: the loss, the scores, training and resuming.
#include "train/task/multi_label.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops.h"
#include "data/loader.h"
#include "tensor/ops.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/several_labels.h"
#include "train/group_gradients.h"
#include "train/task/classification.h"
#include "train/task/for_data.h"
#include "train/task/multi_label_metric.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

DatasetPtr bands(int64_t size, uint64_t seed = 0) { return std::make_shared<Bands>(size, seed); }

MultiLabelTask task_with(models::Classifier& model, const DatasetPtr& data, const TrainConfig& config) {
  return MultiLabelTask(model, multi_label_options(config, preprocessing_for(model, data->info()), data->class_names()));
}

Batch batch_of(const Task& task, const DatasetPtr& data) {
  return make_loader(task, data, {.batch_size = data->size(), .train = false}).batch(0, 0);
}

// The loss by its formula, in double, from logits and targets of each image and class.
template <class Weight>
double expected_loss(const Tensor& logits, const Tensor& truth, double smoothing, Weight weight) {
  double sum = 0;
  for (int64_t i = 0; i < logits.size(0); ++i)
    for (int64_t c = 0; c < logits.size(1); ++c) {
      const double x = logits.at({i, c}), t = truth.at({i, c}), s = (1 - smoothing) * t + smoothing / 2;
      sum += weight(c, t) * (s * std::log1p(std::exp(-x)) + (1 - s) * std::log1p(std::exp(x)));
    }
  return sum / static_cast<double>(logits.numel());
}

Prediction with_logits(const std::vector<float>& logits) {
  Prediction p;
  p.logits = from_vector(logits, {static_cast<int64_t>(logits.size())});
  return p;
}

}  // namespace

TEST_CASE("multi-label loss: mean binary cross-entropy, with smoothing, mixed targets and weights by their formulas") {
  const DatasetPtr data = bands(12);
  const auto model = tiny_vit(data->info());
  std::vector<double> counts(5, 0);
  for (int64_t i = 0; i < 12; ++i)
    for (const int64_t c : data->labels(i)) ++counts[static_cast<size_t>(c)];
  for (const double smoothing : {0.0, 0.2})
    for (const std::string weights : {"none", "balanced", "b=3,never=0"}) {
      CAPTURE(smoothing);
      CAPTURE(weights);
      TrainConfig config;
      config.label_smoothing = smoothing, config.class_weights = weights;
      MultiLabelTask task = task_with(*model, data, config);
      task.see(*data);
      Batch batch = batch_of(task, data);
      CHECK(batch.class_labels.shape() == Shape{12, 5});
      const Tensor logits = (*model)(batch.images).value();
      const auto weight = [&](int64_t c, double t) {
        if (weights == "none") return 1.0;
        if (weights != "balanced") return c == 1 ? 3.0 : c == 4 ? 0.0 : 1.0;
        const double n = counts[static_cast<size_t>(c)];
        return n == 0 || n == 12 ? 1.0 : t * 12 / (2 * n) + (1 - t) * 12 / (2 * (12 - n));
      };
      CHECK(task.loss(batch).total.item() ==
            doctest::Approx(expected_loss(logits, batch.class_labels, smoothing, weight)).epsilon(1e-5));
      batch.soft_labels = batch.class_labels * 0.75 + 0.1;
      CHECK(task.loss(batch).total.item() ==
            doctest::Approx(expected_loss(logits, batch.soft_labels, smoothing, weight)).epsilon(1e-5));
    }
}

TEST_CASE("multi-label: guessing gives the mean entropy of the classes, and no constant answer does better") {
  const DatasetPtr data = bands(50);
  const auto model = tiny_vit(data->info());
  for (const std::string weights : {"none", "auto"}) {
    TrainConfig config;
    config.label_smoothing = 0.1, config.class_weights = weights;
    MultiLabelTask task = task_with(*model, data, config);
    task.see(*data);
    const Batch batch = batch_of(task, data);
    // The best constant logit of each class, by a search over the same loss.
    double best = 0;
    for (int64_t c = 0; c < 5; ++c) {
      double least = 1e9, n = 0;
      for (int64_t i = 0; i < 50; ++i) n += batch.class_labels.at({i, c});
      const bool balanced = weights == "auto" && n > 0 && n < 50;
      for (double x = -8; x < 8; x += 0.001) {
        const double on = std::log1p(std::exp(-x)), off = std::log1p(std::exp(x));
        const double with = n * (balanced ? 25 / n : 1) * (0.95 * on + 0.05 * off);
        const double without = (50 - n) * (balanced ? 25 / (50 - n) : 1) * (0.05 * on + 0.95 * off);
        least = std::min(least, (with + without) / 50);
      }
      best += least / 5;
    }
    CHECK(task.guess_loss().value() == doctest::Approx(best).epsilon(1e-5));
  }
}

TEST_CASE("multi-label scores are scikit-learn's of the same four pictures; a class without positives is left out and named") {
  // average_precision_score, f1_score(average=...), exact matches and log loss of scikit-learn 1.9.1; class "z" is on no
  // picture.
  const std::vector<std::vector<float>> logits{{2, -1, 0.5F, -9}, {-0.2F, 1.5F, -3, -9}, {0.1F, 0.1F, -2, -9}, {-1, 2, 1, -9}};
  const std::vector<std::vector<int64_t>> truth{{0, 2}, {0, 1}, {1}, {}};
  const auto metric = make_multi_label_metric({"x", "y", "w", "z"}, 0.5);
  std::vector<Example> examples;
  std::vector<Prediction> predictions;
  for (size_t i = 0; i < 4; ++i) {
    examples.push_back({zeros({1, 2, 2}), several(truth[i], 4), static_cast<int64_t>(i)});
    predictions.push_back(with_logits(logits[i]));
  }
  metric->add(collate_examples(std::move(examples)), predictions);
  const Scores scores = metric->result();
  CHECK(scores.front().name == "map");
  CHECK(score(scores, "map") == doctest::Approx(0.6388888888888888).epsilon(1e-12));
  CHECK(score(scores, "micro-f1") == doctest::Approx(0.6666666666666666).epsilon(1e-12));
  CHECK(score(scores, "macro-f1") == doctest::Approx(0.6555555555555556).epsilon(1e-12));
  CHECK(score(scores, "exact-match") == 0.25);
  CHECK(score(scores, "loss") == doctest::Approx((0.6026315749124099 * 3 + std::log1p(std::exp(-9.0))) / 4).epsilon(1e-6));
  REQUIRE(metric->notes().size() == 1);
  CHECK(metric->notes()[0] == "1 class is on no picture of the test and left out of the mAP: z");
  const auto details = metric->details();
  CHECK(details->labels[0].average_precision.value() == doctest::Approx(0.8333333333333333));
  CHECK(!details->labels[3].average_precision);
  CHECK(details->labels[1].images == 2);
  CHECK(details->labels[1].answers == 3);
  CHECK(details->labels[1].right == 2);
  CHECK(details->worst.size() == 3);
  CHECK(details->worst[0].truth == "none");
  CHECK(details->worst[0].answer == "y, w");
  CHECK(details->best.size() == 1);
  CHECK(details->best[0].truth == "x, w");
}

TEST_CASE("mixing multi-label pictures mixes each class by itself: what both have stays 1") {
  const DatasetPtr data = bands(10);
  const auto model = tiny_vit(data->info());
  TrainConfig config = quick(1, 10);
  config.mixup = 1;
  MultiLabelTask task = task_with(*model, data, config);
  LoaderOptions options{.batch_size = 10, .seed = 4};
  options.mixing.mixup = 1;
  const Batch batch = make_loader(task, data, options).batch(0, 0);
  REQUIRE(batch.soft_labels.defined());
  std::vector<double> between;
  for (int64_t i = 0; i < 10; ++i)
    for (int64_t c = 0; c < 5; ++c) {
      const double own = batch.class_labels.at({i, c}), mixed = batch.soft_labels.at({i, c});
      if (mixed > 0 && mixed < 1) between.push_back(own > 0 ? mixed : 1 - mixed);  // the own part: the same everywhere
      if (mixed == 0 || mixed == 1) CHECK(own == mixed);
    }
  REQUIRE(between.size() > 5);
  for (const double part : between) CHECK(part == doctest::Approx(between.front()).epsilon(1e-6));
  const Batch half = group_of(batch, 1, 2);
  CHECK(half.class_labels.shape() == Shape{5, 5});
  CHECK(bit_equal(half.soft_labels, slice(batch.soft_labels, 0, 5, 10)));
}

TEST_CASE("a multi-label run learns, and one that is resumed in the middle gives the same bits") {
  const DatasetPtr data = bands(200), test = bands(80, 9);
  TrainConfig config = quick(20, 20);
  config.lr = 3e-3, config.label_smoothing = 0.1, config.mixup = 0.2, config.class_weights = "balanced",
  config.eval_metric = "micro-f1";
  config.patience = 15, config.stop_metric = "map";
  const auto model = tiny_vit(data->info());
  MultiLabelTask task = task_with(*model, data, config);
  Trainer whole(task, data, test, config, {.quiet = true});
  for (int i = 0; i < 33; ++i) whole.step();
  const RunState middle = whole.state();
  const TrainResult result = whole.run();
  CHECK(result.history.back().test->scores.front().name == "micro_f1");
  CHECK(result.history.back().test->at("map") > 0.97);
  CHECK(result.history.back().test->at("exact_match") > 0.6);
  const auto other = tiny_vit(data->info(), 3);
  MultiLabelTask again = task_with(*other, data, config);
  Trainer second(again, data, test, config, {.quiet = true});
  second.restore(middle);
  second.run();
  CHECK(differences(second.state(), whole.state()).empty());
  // A state of the other task is no state of this one.
  RunState wrong = middle;
  wrong.task = kClassification;
  CHECK_THROWS_WITH_AS(second.restore(wrong), doctest::Contains("the state is of another task: it is classification"), Error);
}

TEST_CASE("multi-label answers are the classes above the threshold; the mean of views is that of the probabilities") {
  const DatasetPtr data = bands(4);
  const auto model = tiny_vit(data->info());
  MultiLabelTask task = task_with(*model, data, TrainConfig());
  const Prediction p = with_logits({2, -1, 0.5F, 0.5F, -7});
  CHECK(task.to_text(p, 5) == "a 88.1 %, c 62.2 %, d 62.2 %");
  CHECK(task.to_text(p, 1) == "a 88.1 %");
  JsonWriter json;
  task.to_json(json, p, 5);
  CHECK(json.text().starts_with("[{\"class\":\"a\",\"index\":0,\"probability\":0.88079"));
  task.set_threshold(0.9);
  CHECK(task.to_text(p, 5) == "none (most probable: a 88.1 %)");
  CHECK(task.answers(p, 5).empty());
  CHECK_THROWS_WITH_AS(task.set_threshold(1), doctest::Contains("threshold must lie between 0 and 1: it is 1"), Error);
  const Prediction mean = task.mean_of_views({with_logits({2, -1, 0, 80, -200}), with_logits({-2, 3, 0, 90, -300})});
  const std::vector<double> q = task.probabilities(mean);
  CHECK(q[0] == doctest::Approx(0.5));
  CHECK(q[1] == doctest::Approx((1 / (1 + std::exp(1.0)) + 1 / (1 + std::exp(-3.0))) / 2));
  CHECK(std::isfinite(mean.logits.at({3})));
  CHECK(std::isfinite(mean.logits.at({4})));
}

TEST_CASE("the task follows the data, and what does not go together is told") {
  const DatasetPtr data = bands(20), single = glyphs(20);
  const auto model = tiny_vit(data->info()), other = tiny_vit(single->info());
  TrainConfig config = quick(1, 10);
  const Preprocessing p = preprocessing_for(*model, data->info());
  CHECK(make_task_for(data->info(), *model, p, config)->name() == "multi_label");
  CHECK(make_task_for(single->info(), *other, p, config)->name() == "classification");
  config.sampling = "balanced";
  CHECK_THROWS_WITH_AS(make_task_for(data->info(), *model, p, config),
                       doctest::Contains("a picture here has several: sampling is balanced. Hint: --class-weights balanced"),
                       Error);
  config.sampling = "shuffled", config.class_weights = "e=2";
  CHECK_THROWS_WITH_AS(make_task_for(data->info(), *model, p, config), doctest::Contains("no class has the name \"e\""), Error);
  ClassificationTask one(*model, {p, data->class_names()});
  CHECK_THROWS_WITH_AS(one.check_data(*data), doctest::Contains("bands has any number of labels. Hint: finetune on such data"),
                       Error);
  CHECK_THROWS_WITH_AS(require_one_label(*data, "probe"), doctest::Contains("bands has any number of labels per picture"),
                       Error);
  // Pictures of one label each can test a multi-label model: the label is the whole set.
  MultiLabelTask task(*other, {preprocessing_for(*other, single->info()), single->class_names()});
  const Evaluation e = evaluate(task, single);
  int64_t images = 0;
  for (const LabelResult& label : e.details->labels) images += label.images;
  CHECK(images == 20);
}

TEST_CASE("a multi-label sample of a size keeps rare classes, and folds share them out") {
  const DatasetPtr data = bands(100);
  const std::vector<std::vector<int64_t>> groups = strata(*data);
  REQUIRE(groups.size() == 6);  // five classes, and the pictures without any
  size_t members = 0;
  for (const auto& group : groups) members += group.size();
  CHECK(members == 100);
  CHECK(groups[4].empty());
  for (const int64_t i : groups[5]) CHECK(data->labels(i).empty());
  const DatasetPtr part = stratified_n(data, 30, 1);
  CHECK(part->size() == 30);
  std::vector<int64_t> counts(5, 0);
  for (int64_t i = 0; i < 30; ++i)
    for (const int64_t c : part->labels(i)) ++counts[static_cast<size_t>(c)];
  for (size_t c = 0; c < 4; ++c) CHECK(counts[c] >= 6);
}
