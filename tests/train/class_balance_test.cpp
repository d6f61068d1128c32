// Classes that differ in size: weights of the loss, and what guessing gives.
#include "train/class_balance.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops.h"
#include "data/loader.h"
#include "tests/support/learn_helpers.h"
#include "train/task/classification.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// Glyphs of two classes: eight of one, two of the other.
DatasetPtr eight_and_two() {
  const DatasetPtr all = glyphs(400);
  std::vector<int64_t> chosen;
  for (const auto& [wanted, most] : {std::pair<int64_t, int64_t>{0, 8}, {1, 2}})
    for (int64_t i = 0, found = 0; i < all->size() && found < most; ++i)
      if (all->label(i) == wanted) chosen.push_back(i), ++found;
  return std::make_shared<SubsetDataset>(all, chosen);
}

ClassificationTask task_for(models::Classifier& model, const DatasetPtr& data, const TrainConfig& config) {
  return ClassificationTask(model, classification_options(config, preprocessing_for(model, data->info()), data->class_names()));
}

Batch batch_of(const Task& task, const DatasetPtr& data) {
  return make_loader(task, data, {.batch_size = data->size(), .train = false}).batch(0, 0);
}

}  // namespace

TEST_CASE("balanced weights are N / (K n_c), and their mean over the images is 1") {
  const std::vector<double> w = balanced_class_weights({60, 30, 10});
  CHECK(w[0] == doctest::Approx(100.0 / 180));
  CHECK(w[1] == doctest::Approx(100.0 / 90));
  CHECK(w[2] == doctest::Approx(100.0 / 30));
  CHECK(60 * w[0] + 30 * w[1] + 10 * w[2] == doctest::Approx(100));
  const std::vector<double> missing = balanced_class_weights({6, 0, 2});
  CHECK(missing[0] == doctest::Approx(8.0 / 12));
  CHECK(missing[1] == 0);
  CHECK(missing[2] == 2);
}

TEST_CASE("the loss of the best constant answer: ln C for equal classes, the entropy of their parts otherwise") {
  const std::vector<double> ones{1, 1, 1, 1};
  CHECK(constant_loss({0.25, 0.25, 0.25, 0.25}, ones, 0) == doctest::Approx(std::log(4)));
  CHECK(constant_loss({0.25, 0.25, 0.25, 0.25}, ones, 0.1) == doctest::Approx(std::log(4)));
  CHECK(constant_loss({0.7, 0.3}, {1, 1}, 0) == doctest::Approx(-0.7 * std::log(0.7) - 0.3 * std::log(0.3)));
  CHECK(constant_loss({0.7, 0.3}, balanced_class_weights({7, 3}), 0) == doctest::Approx(std::log(2)));
  CHECK(constant_loss({1, 0}, {1, 1}, 0) == 0);
}

TEST_CASE("class weights: the loss is the mean over the images of weight times cross-entropy, smoothed and mixed too") {
  const DatasetPtr data = eight_and_two();
  const auto model = tiny_vit(data->info());
  for (const double smoothing : {0.0, 0.1}) {
    TrainConfig config;
    config.label_smoothing = smoothing, config.class_weights = "balanced";
    ClassificationTask task = task_for(*model, data, config);
    task.see(*data);
    Batch batch = batch_of(task, data);
    const Tensor logits = (*model)(batch.images).value();
    CrossEntropyOptions options;
    options.label_smoothing = smoothing, options.reduction = Reduction::kNone;
    const Tensor each = cross_entropy(Variable(logits), batch.labels, options).value();
    double expected = 0;
    for (int64_t i = 0; i < 10; ++i) expected += (batch.labels.at({i}) == 0 ? 10.0 / 16 : 10.0 / 4) * each.at({i}) / 10;
    CHECK(task.loss(batch).total.item() == doctest::Approx(expected).epsilon(1e-5));
    // A mixed batch whose pictures are each of one class is the same batch.
    batch.soft_labels = zeros({10, data->num_classes()});
    for (int64_t i = 0; i < 10; ++i)
      batch.soft_labels.mutable_data<float>()[i * data->num_classes() + static_cast<int64_t>(batch.labels.at({i}))] = 1;
    CHECK(task.loss(batch).total.item() == doctest::Approx(expected).epsilon(1e-5));
  }
}

TEST_CASE("class weights: both classes pull alike, so a batch of all images has the gradient of a balanced one") {
  const DatasetPtr data = eight_and_two();
  const auto model = tiny_vit(data->info());
  TrainConfig config;
  config.label_smoothing = 0, config.class_weights = "balanced";
  ClassificationTask weighted = task_for(*model, data, config);
  weighted.see(*data);
  weighted.loss(batch_of(weighted, data)).total.backward();
  Variable* bias = nullptr;
  for (const nn::NamedParameter& entry : model->named_parameters())
    if (entry.name == "head.bias") bias = entry.parameter;
  REQUIRE(bias != nullptr);
  const Tensor with_weights = clone(bias->grad());
  model->zero_grad();
  // The rare images four times: eight of each.
  std::vector<int64_t> often{0, 1, 2, 3, 4, 5, 6, 7};
  for (int64_t i = 0; i < 8; ++i) often.push_back(8 + i % 2);
  const DatasetPtr repeated = std::make_shared<SubsetDataset>(data, often);
  config.class_weights = "none";
  ClassificationTask plain = task_for(*model, repeated, config);
  plain.loss(batch_of(plain, repeated)).total.backward();
  CHECK(max(abs(with_weights - bias->grad())).item() < 1e-6);
}

TEST_CASE("the task knows what guessing gives once it has seen the training set") {
  const DatasetPtr data = eight_and_two();
  const auto model = tiny_vit(data->info());
  TrainConfig config;
  config.label_smoothing = 0;
  ClassificationTask task = task_for(*model, data, config);
  CHECK(!task.guess_loss());
  task.see(*data);
  CHECK(*task.guess_loss() == doctest::Approx(-0.8 * std::log(0.8) - 0.2 * std::log(0.2)));
  config.sampling = "balanced";
  ClassificationTask balanced = task_for(*model, data, config);
  balanced.see(*data);
  CHECK(*balanced.guess_loss() == doctest::Approx(std::log(2)));
}

TEST_CASE("class weights by name: the rest weigh 1, slips are told with the nearest name") {
  using Named = std::vector<std::pair<std::string, double>>;
  CHECK(named_class_weights("none").empty());
  CHECK(named_class_weights("auto").empty());
  CHECK(named_class_weights("cat=2,dog=0.5") == Named{{"cat", 2}, {"dog", 0.5}});
  CHECK(named_class_weights("a=b=3,x\\,y=1") == Named{{"a=b", 3}, {"x,y", 1}});
  const std::vector<std::string> names{"cat", "dog", "owl"};
  CHECK(class_weights_of("owl=4", names, {1, 1, 1}) == std::vector<double>{1, 1, 4});
  CHECK(class_weights_of("none", names, {1, 5, 1}) == std::vector<double>{1, 1, 1});
  CHECK(class_weights_of("auto", names, {6, 0, 2}) == balanced_class_weights({6, 0, 2}));
  const auto refused = [&](const std::string& text, const char* part) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(class_weights_of(text, names, {1, 1, 0}), doctest::Contains(part), Error);
  };
  refused("dgo=2", "no class has the name \"dgo\". Hint: did you mean \"dog\"? The classes are cat, dog, owl");
  refused("balancd", "must be none, balanced, auto, or NAME=WEIGHT,...: it is \"balancd\"");
  refused("cat=2,", "must be none, balanced, auto, or NAME=WEIGHT");
  refused("=2", "must be none, balanced, auto, or NAME=WEIGHT");
  refused("cat=-1", "that of \"cat\" is -1");
  refused("cat=x", "class weight of \"cat\"");
  refused("cat=1,cat=2", "names a class twice: it is \"cat\"");
  refused("cat=0,dog=0", "leaves no class of the training images a weight");
  TrainConfig config;
  config.class_weights = "cat:2";
  CHECK_THROWS_WITH_AS(validate(config), doctest::Contains("it is \"cat:2\""), Error);
}

TEST_CASE("without class weights every class weighs one, whether an image has it or not") {
  CHECK(class_weights_of("none", {"a", "b"}, {0, 0}) == std::vector<double>{1, 1});
  CHECK_THROWS_WITH_AS(class_weights_of("a=0", {"a", "b"}, {3, 0}),
                       doctest::Contains("leaves no class of the training images a weight"), Error);
}

TEST_CASE("class weights by name weigh the loss of each image, and auto is balanced under its other name") {
  const DatasetPtr data = eight_and_two();
  const auto model = tiny_vit(data->info());
  TrainConfig config;
  config.label_smoothing = 0, config.class_weights = data->class_names()[1] + "=3";
  ClassificationTask task = task_for(*model, data, config);
  task.see(*data);
  const Batch batch = batch_of(task, data);
  CrossEntropyOptions options;
  options.reduction = Reduction::kNone;
  const Tensor each = cross_entropy(Variable((*model)(batch.images).value()), batch.labels, options).value();
  double expected = 0;
  for (int64_t i = 0; i < 10; ++i) expected += (batch.labels.at({i}) == 1 ? 3 : 1) * each.at({i}) / 10;
  CHECK(task.loss(batch).total.item() == doctest::Approx(expected).epsilon(1e-5));
  config.class_weights = "nobody=3";
  CHECK_THROWS_WITH_AS(task_for(*model, data, config), doctest::Contains("no class has the name \"nobody\""), Error);
  double losses[2];
  for (int i = 0; i < 2; ++i) {
    config.class_weights = i == 0 ? "balanced" : "auto";
    ClassificationTask balanced = task_for(*model, data, config);
    balanced.see(*data);
    losses[i] = balanced.loss(batch).total.item();
  }
  CHECK(losses[0] == losses[1]);
}
