// The learning-rate range test against a case that can be computed by hand, and on a real model.
#include "train/lr_finder.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "nn/nn.h"
#include "tensor/machine/parallel.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/scratch_folder.h"
#include "train/task/classification.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// loss = a w^2 / 2 with w = 1 at first: gradient descent multiplies w by 1 - lr a, whatever the batch.
class Parabola final : public Task {
 public:
  explicit Parabola(double a) : a_(a), rng_(1), layer_(1, 1, rng_, false) {
    NoGradGuard no_grad;
    layer_.weight.set_value(full({1, 1}, 1.0));
  }
  std::string name() const override { return "parabola"; }
  nn::Module& model() override { return layer_; }
  std::string architecture() const override { return "{}"; }
  ModelCard card() const override { return {}; }
  void check_data(const Dataset&) const override {}
  Example prepare(const Sample&, const Rng*) const override { return {zeros({1, 1, 1}), {}}; }
  Loss loss(const Batch&) override { return {sum(square(layer_.weight)) * (a_ / 2), {}}; }
  std::vector<Prediction> predict(const Batch&) override { return {}; }
  std::unique_ptr<Metric> metric() const override { return nullptr; }
  std::string to_text(const Prediction&, int64_t) const override { return ""; }
  void to_json(JsonWriter&, const Prediction&, int64_t) const override {}
  Tensor draw(const Sample& sample, const Prediction&) const override { return sample.image; }
  double weight() const { return layer_.weight.value().item(); }

 private:
  double a_;
  Rng rng_;
  nn::Linear layer_;
};

TrainConfig gradient_descent() {
  TrainConfig config = quick(1, 10);
  config.optimizer = "sgd";
  config.momentum = 0;
  config.nesterov = false;
  config.weight_decay = 0;
  config.clip_norm = 0;
  return config;
}

}  // namespace

TEST_CASE("range test: on a parabola the losses are those of the formula, and both suggestions are within their decade") {
  const double a = 100;
  Parabola task(a);
  const LrFinding finding = find_learning_rate(task, glyphs(20), gradient_descent());
  double w = 1;
  REQUIRE(finding.points.size() > 60);
  for (size_t i = 0; i < finding.points.size(); ++i) {
    const double lr = 1e-6 * std::pow(1e6, static_cast<double>(i) / 99), loss = a * w * w / 2;
    CHECK(finding.points[i].lr == doctest::Approx(lr).epsilon(1e-12));
    if (loss > 1e-6) CHECK(finding.points[i].loss == doctest::Approx(loss).epsilon(1e-3));
    w *= 1 - lr * a;
  }
  // The loss is exp(-2 a S), S the sum of the rates, 7.7 times the last of them: it falls fastest over log(lr) at 2 a S = 1.
  REQUIRE(finding.steepest);
  CHECK(*finding.steepest > 0.3 / (15.4 * a));
  CHECK(*finding.steepest < 3.0 / (15.4 * a));
  // Above 2 / a the weight grows; the minimum lies near 1 / a.
  REQUIRE(finding.tenth_of_lowest);
  CHECK(*finding.tenth_of_lowest > 0.1 * 0.2 / a);
  CHECK(*finding.tenth_of_lowest < 0.1 * 4 / a);
  CHECK(finding.diverged);
  CHECK(finding.points.back().lr < 1);
  CHECK(task.weight() == 1);
}

TEST_CASE("range test: every optimiser finds a rate for a ViT, which keeps its bits and its mode") {
  const DatasetPtr data = glyphs(32);
  for (const std::string optimizer : {"adamw", "adam", "sgd", "lion", "rmsprop", "muon", "lamb"}) {
    CAPTURE(optimizer);
    const auto model = tiny_vit(data->info());
    nn::StateDict before;
    for (const auto& [name, tensor] : model->state_dict()) before.emplace_back(name, clone(tensor));
    TrainConfig config = quick(1, 32);
    config.optimizer = optimizer;
    ClassificationTask task(*model,
                            classification_options(config, preprocessing_for(*model, data->info()), data->class_names()));
    model->eval();
    const LrFinding finding = find_learning_rate(task, data, config);
    REQUIRE(finding.steepest);
    CHECK(*finding.steepest > 1e-6);
    CHECK(*finding.steepest < 1);
    CHECK(*finding.tenth_of_lowest < 0.1);
    CHECK(!model->training());
    const nn::StateDict after = model->state_dict();
    for (size_t i = 0; i < before.size(); ++i) CHECK(bit_equal(before[i].second, after[i].second));
    for (const auto& [name, parameter] : model->named_parameters()) CHECK(!parameter->grad().defined());
  }
}

TEST_CASE("range test: the same points for 1, 2 and 4 threads, and another seed gives others") {
  const int before = num_threads();
  const DatasetPtr data = glyphs(100);
  const auto points = [&](int threads, uint64_t seed) {
    set_num_threads(threads);
    const auto model = tiny_vit(data->info(), 0, 0.1);
    TrainConfig config = quick(1, 16);
    config.seed = seed;
    ClassificationTask task(*model,
                            classification_options(config, preprocessing_for(*model, data->info()), data->class_names()));
    return lr_finding_csv(find_learning_rate(task, data, config, {.updates = 40}));
  };
  const std::string one = points(1, 0);
  CHECK(one == points(2, 0));
  CHECK(one == points(4, 0));
  CHECK(one != points(4, 1));
  set_num_threads(before);
}

TEST_CASE("range test: a loss that is noise gives no suggestion") {
  LrFinding finding;
  for (int i = 0; i < 100; ++i)
    finding.points.push_back({1e-6 * std::pow(1e6, i / 99.0), 2.3 + 0.1 * Rng(3).normal(static_cast<uint64_t>(i)), 0});
  suggest(finding);
  CHECK(!finding.steepest);
  CHECK(!finding.tenth_of_lowest);
  finding.points.clear();
  suggest(finding);
  CHECK(!finding.steepest);
}

TEST_CASE("range test: a loss that is never finite has no curve, and says so") {
  Parabola task(std::numeric_limits<double>::infinity());
  const LrFinding finding = find_learning_rate(task, glyphs(20), gradient_descent());
  CHECK(finding.diverged);
  CHECK(finding.points.empty());
  CHECK(refuses([&] { lr_finding_svg(finding); }, ErrorKind::kNumeric, "the loss is not finite from update 1 on"));
}

TEST_CASE("range test: it ends when it is told to, and refuses rates that do not rise") {
  Parabola task(1);
  int asked = 0;
  const LrFinding finding = find_learning_rate(task, glyphs(20), gradient_descent(), {.stop = [&] { return ++asked == 15; }});
  CHECK(finding.stopped);
  CHECK(finding.points.size() == 15);
  CHECK(refuses([&] { find_learning_rate(task, glyphs(20), gradient_descent(), {.low = 1, .high = 0.1}); }, ErrorKind::kValue,
                "the rates must rise from above 0: they go from 1 to 0.1"));
  TrainConfig head = gradient_descent();
  head.trainable = "head";
  CHECK(refuses([&] { find_learning_rate(task, glyphs(20), head); }, ErrorKind::kValue,
                "trains the whole model: trainable is \"head\""));
  CHECK(refuses([&] { find_learning_rate(task, glyphs(20), gradient_descent(), {.updates = 9}); }, ErrorKind::kValue,
                "needs at least 10 updates: there are 9"));
}

TEST_CASE("range test: the picture has the curve and both suggestions") {
  Parabola task(100);
  const LrFinding finding = find_learning_rate(task, glyphs(20), gradient_descent());
  const std::string svg = lr_finding_svg(finding);
  CHECK(svg.starts_with("<svg"));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(svg.find("steepest: ") != std::string::npos);
  CHECK(svg.find("lowest / 10: ") != std::string::npos);
  CHECK(lr_finding_csv(finding).starts_with("lr,loss,smooth\n"));
}
