// Training that starts from a trained model: what is kept, what is new, what is refused; and the recipe fields that go with it.
#include "train/start_from.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops.h"
#include "base/error.h"
#include "tests/support/learn_helpers.h"
#include "train/group_gradients.h"
#include "train/task/classification.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

SavedModel saved_from(models::Classifier& model, std::vector<std::string> names) {
  SavedModel saved;
  saved.architecture = model.config_json();
  saved.card.class_names = std::move(names);
  saved.file = "pretrained";
  for (const auto& [key, tensor] : model.state_dict()) saved.weights.emplace_back(key, clone(tensor));
  return saved;
}

DatasetInfo three_classes() {
  DatasetInfo info = glyphs(10)->info();
  info.class_names = {"x", "y", "z"};
  return info;
}

bool is_of_head(const std::string& key) { return key.starts_with("head."); }

}  // namespace

TEST_CASE("start from: other classes get a head of zeros, and everything else the saved weights") {
  const DatasetInfo before = glyphs(10)->info();
  const auto trained = tiny_vit(before, 1);
  const SavedModel saved = saved_from(*trained, before.class_names);
  const auto model = tiny_vit(three_classes(), 2);
  CHECK(model->config_json() == models::to_json(architecture_for(saved, 3)));
  const std::string note = start_from(*model, saved, {"x", "y", "z"});
  CHECK(note == cat("starts from pretrained with a new head: ", before.class_names.size(), " classes there, 3 here"));
  for (const auto& entry : model->state_dict()) {
    const std::string key = entry.first;  // a lambda of C++20 in clang 14 cannot capture a structured binding
    const Tensor tensor = entry.second;
    CAPTURE(key);
    if (is_of_head(key)) {
      CHECK(max(abs(tensor)).item() == 0);
      continue;
    }
    for (const auto& [name, weight] : saved.weights)
      if (name == key) CHECK(bit_equal(tensor, weight));
  }
}

TEST_CASE("start from: the same classes keep their head; as many others, or another order, do not") {
  const DatasetInfo info = three_classes();
  const auto trained = tiny_vit(info, 1);
  const SavedModel saved = saved_from(*trained, {"x", "y", "z"});
  const auto same = tiny_vit(info, 2), other = tiny_vit(info, 2);
  CHECK(start_from(*same, saved, {"x", "y", "z"}).find("its head included") != std::string::npos);
  const nn::StateDict a = same->state_dict();
  for (size_t i = 0; i < a.size(); ++i) CHECK(bit_equal(a[i].second, saved.weights[i].second));
  CHECK(start_from(*other, saved, {"y", "x", "z"}).find("with a new head") != std::string::npos);
}

TEST_CASE("start from: a model of another shape is refused by name, and keeps its weights") {
  const DatasetInfo info = three_classes();
  const auto trained = tiny_vit(info, 1);
  SavedModel saved = saved_from(*trained, {"a", "b", "c"});
  const auto cct = models::make_model("cct_2_3x2_d64", Rng(3));
  CHECK_THROWS_WITH_AS(start_from(*cct, saved, {"x"}), doctest::Contains("pretrained has no weights for"), Error);
  const auto model = tiny_vit(info, 2), untouched = tiny_vit(info, 2);
  for (auto& entry : saved.weights)
    if (entry.first == "pos_embed") entry.second = zeros({1, 5, 32});
  CHECK_THROWS_WITH_AS(start_from(*model, saved, {"x", "y", "z"}), doctest::Contains("the weights of pretrained do not fit the model"), Error);
  const nn::StateDict now = model->state_dict(), then = untouched->state_dict();
  for (size_t i = 0; i < now.size(); ++i) CHECK(bit_equal(now[i].second, then[i].second));
}

TEST_CASE("trainable head: a run moves the head alone, with groups of a batch and averages too") {
  const DatasetPtr data = glyphs(40);
  for (const int64_t groups : {1, 2}) {
    CAPTURE(groups);
    const auto model = tiny_vit(data->info(), 1, 0.1), before = tiny_vit(data->info(), 1, 0.1);
    TrainConfig config = quick(2, 10);
    config.trainable = "head", config.groups = groups, config.ema_decay = 0.5;
    train_model(*model, data, nullptr, preprocessing_for(*model, data->info()), config, {.quiet = true});
    const nn::StateDict now = model->state_dict(), then = before->state_dict();
    for (size_t i = 0; i < now.size(); ++i) {
      CAPTURE(now[i].first);
      CHECK(bit_equal(now[i].second, then[i].second) == !is_of_head(now[i].first));
    }
  }
}
