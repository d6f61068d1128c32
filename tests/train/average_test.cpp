// Averages of weights: their arithmetic, the greedy rule, and what keeps two models apart.
#include "train/average.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "models/vit.h"
#include "tensor/ops.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/model_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

nn::StateDict numbers(std::vector<float> values) {
  const auto n = static_cast<int64_t>(values.size());
  return {{"w", from_vector(values, {n})}};
}

Scores near_one(const nn::StateDict& weights) {
  return {{"top1", "top-1", 1 - std::abs(weights.at(0).second.at({0}) - 1), ScoreUnit::kPart}};
}

SavedModel saved_vit(int64_t width, const std::vector<std::string>& classes, double drop = 0) {
  models::ViTConfig c;
  c.img_size = 28, c.patch_size = 7, c.in_chans = 1, c.num_classes = static_cast<int64_t>(classes.size());
  c.embed_dim = width, c.depth = 1, c.num_heads = 2, c.drop_path_rate = drop;
  Rng rng(1);
  models::ViT model(c, rng);
  SavedModel saved;
  saved.card.preprocessing = preprocessing_for(glyphs(4)->info());
  saved.card.class_names = classes;
  saved.architecture = model.config_json();
  saved.weights = model.state_dict();
  saved.file = "saved";
  return saved;
}

}  // namespace

TEST_CASE("average: sums run in double, and one model's mean has its bits") {
  WeightSum sum;
  const nn::StateDict one = numbers({0.1f, 3e7f, -2});
  sum.add(one);
  CHECK(bit_equal(sum.mean()[0].second, one[0].second));
  // In single precision 3e7 + 1 would lose the 1.
  CHECK(sum.mean_with(numbers({0.3f, 1, 5}))[0].second.at({1}) == 15000000.5f);
  CHECK(sum.count() == 1);
  sum.add(numbers({0.3f, 1, 5}));
  CHECK(sum.mean()[0].second.at({2}) == 1.5);
  CHECK(sum.mean()[0].second.dtype() == Dtype::f32);
}

TEST_CASE("average: what is no float must be the same in all") {
  WeightSum sum;
  sum.add({{"n", from_vector(std::vector<int64_t>{3}, {1})}});
  sum.add({{"n", from_vector(std::vector<int64_t>{3}, {1})}});
  CHECK(sum.mean()[0].second.at({0}) == 3);
  CHECK(contains(message_of([&] {
                   sum.add({{"n", from_vector(std::vector<int64_t>{4}, {1})}});
                 }),
                 "tensor n is not a float and differs"));
}

TEST_CASE("average: greedy keeps a model where the score does not fall, whatever the order of the models") {
  const std::vector<float> values{5, 0.8f, 1.3f, 1.3f};
  std::vector<size_t> order{0, 1, 2};
  nn::StateDict first_uniform;
  do {
    std::vector<Ingredient> models;
    for (const size_t i : order) models.push_back({cat("m", i), cat("hash", i)});
    const auto read = [&](size_t i) { return numbers({values[order[i]], 1e-3f * values[order[i]]}); };
    const AverageResult greedy = average_models(models, true, read, near_one);
    CHECK(greedy.weights[0].second.at({0}) == doctest::Approx(1.05));
    CHECK(greedy.greedy->at(0).value == doctest::Approx(0.95));
    CHECK(greedy.uniform.at(0).value == doctest::Approx(1 - (7.1 / 3 - 1)));
    for (size_t i = 0; i < 3; ++i) {
      CHECK(models[i].kept == (order[i] != 0));
      CHECK(models[i].scores.at(0).value == doctest::Approx(1 - std::abs(values[order[i]] - 1)));
    }
    const AverageResult uniform = average_models(models, false, read, near_one);
    CHECK(!uniform.greedy);
    if (first_uniform.empty()) first_uniform = uniform.weights;
    CHECK(bit_equal(uniform.weights[0].second, first_uniform[0].second));
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("average: a score that stays the same keeps the model; a loss is better where it is smaller") {
  std::vector<Ingredient> models{{"a", "1"}, {"b", "2"}};
  const auto read = [](size_t i) { return numbers({static_cast<float>(i + 1)}); };
  const auto loss = [](const nn::StateDict& w) {
    return Scores{{"loss", "loss", w[0].second.at({0}), ScoreUnit::kNumber, false}};
  };
  CHECK(average_models(models, true, read, loss).weights[0].second.at({0}) == 1);
  CHECK((models[0].kept && !models[1].kept));
  const auto constant = [](const nn::StateDict&) { return Scores{{"top1", "top-1", 0.5, ScoreUnit::kPart}}; };
  CHECK(average_models(models, true, read, constant).weights[0].second.at({0}) == 1.5);
}

TEST_CASE("average: every obstacle is named at once, and dropout is none") {
  const SavedModel a = saved_vit(16, {"cat", "dog", "owl"});
  CHECK(average_obstacles(a, saved_vit(16, {"cat", "dog", "owl"}, 0.2)).empty());
  const std::vector<std::string> found = average_obstacles(a, saved_vit(32, {"cat", "fox"}));
  REQUIRE(found.size() == 4);
  CHECK(found[0] == "num_classes is 2, not 3");
  CHECK(found[1] == "embed_dim is 32, not 16");
  CHECK(found[2] == "it has no class dog, owl");
  CHECK(found[3] == "it has the class fox besides");
  CHECK(average_obstacles(a, saved_vit(16, {"dog", "cat", "owl"})) ==
        std::vector<std::string>{"class 0 is \"dog\", not \"cat\""});
  SavedModel other = saved_vit(16, {"cat", "dog", "owl"});
  other.weights.pop_back();
  const std::vector<std::string> tensors = average_obstacles(a, other);
  REQUIRE(tensors.size() == 1);
  CHECK(tensors[0].starts_with("tensors: "));
  CHECK(contains(tensors[0], "is missing"));
  other.card.preprocessing.mean = {0.5};
  CHECK(average_obstacles(a, other) == std::vector<std::string>{"its pictures are preprocessed in another way"});
  other.architecture = R"({"architecture": "mlp", "img_size": 28, "in_chans": 1, "num_classes": 3})";
  CHECK(average_obstacles(a, other).at(0) == "architecture is mlp, not vit");
}
