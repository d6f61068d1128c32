// NaN and infinity: the run stops before the update, and says which op, which layer and which images it came from.
#include "train/not_finite.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "base/json.h"
#include "data/loader.h"
#include "nn/nn.h"
#include "tensor/ops.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/scratch_folder.h"
#include "train/task/classification.h"
#include "train/trainer.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// y = sqrt(x) * (x x): its gradient at 0 is infinite times 0, though its value is 0.
class Root : public nn::Layer {
 public:
  Variable forward(const Variable& x) override { return broken ? vitrail::sqrt(x - x) : x; }
  bool broken = false;
};

// A classifier with a layer that can be broken in its backward pass only.
class RootNet : public models::Classifier {
 public:
  explicit RootNet(Rng& rng) : first(28 * 28, 20, rng), last(20, 20, rng) {
    register_module("first", first);
    register_module("root", root);
    register_module("last", last);
  }
  Variable forward(const Variable& images) override { return last(root(first(flatten(images, 1)))); }
  int64_t in_chans() const override { return 1; }
  int64_t img_height() const override { return 28; }
  int64_t img_width() const override { return 28; }
  int64_t num_classes() const override { return 20; }
  std::string config_json() const override { return "{}"; }
  nn::Linear first;
  Root root;
  nn::Linear last;
};

Tensor weight(nn::Module& model, const std::string& path) {
  for (const nn::NamedParameter& entry : model.named_parameters())
    if (entry.name == path) return entry.parameter->value();
  FAIL("no parameter ", path);
  return {};
}

struct Stopped {
  std::string message;
  NotFinite found;
};

// Trains until it stops, after `break_it` has been called behind the second update.
template <class Break>
Stopped stop(models::Classifier& model, const DatasetPtr& data, TrainConfig config, const Break& break_it) {
  Stopped stopped;
  TrainCallbacks callbacks;
  callbacks.quiet = true;
  callbacks.on_step = [&](int64_t step, double) {
    if (step == 2) break_it();
  };
  callbacks.on_not_finite = [&](const NotFinite& found) { stopped.found = found; };
  const auto error =
      error_of([&] { train_model(model, data, nullptr, preprocessing_for(model, data->info()), config, callbacks); });
  REQUIRE(error);
  CHECK(error->kind() == ErrorKind::kNumeric);
  stopped.message = error->what();
  return stopped;
}

bool says(const Stopped& stopped, const std::string& part) { return stopped.message.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a broken layer is named with its op, the step and the images, and nothing is updated") {
  const DatasetPtr data = glyphs(40);
  const auto model = tiny_vit(data->info());
  Tensor before;
  // Finite weights whose products overflow: 1e30 * 1e30.
  const Stopped stopped = stop(*model, data, quick(5, 10), [&] {
    fill_(weight(*model, "blocks.1.mlp.fc1.weight"), 1e30);
    fill_(weight(*model, "blocks.1.mlp.fc2.weight"), 1e30);
    before = clone(weight(*model, "head.weight"));
  });
  CHECK_MESSAGE(says(stopped, "[train] loss is not finite at step 2: loss is "), stopped.message);
  CHECK_MESSAGE(says(stopped, "in layer blocks.1.mlp"), stopped.message);
  CHECK_MESSAGE(says(stopped, "first: op "), stopped.message);
  CHECK_MESSAGE(says(stopped, "and 7 more"), stopped.message);
  CHECK_MESSAGE(says(stopped, "Hint: lower the learning rate"), stopped.message);
  CHECK(stopped.found.step == 2);
  CHECK(stopped.found.images.size() == 10);
  CHECK(bit_equal(weight(*model, "head.weight"), before));
}

TEST_CASE("an infinite gradient behind a finite loss is named with the op and the first weight that it reaches") {
  const DatasetPtr data = glyphs(40);
  Rng rng(1);
  RootNet model(rng);
  const Stopped stopped = stop(model, data, quick(5, 10), [&] { model.root.broken = true; });
  CHECK_MESSAGE(says(stopped, "gradient norm is not finite at step 2: loss is "), stopped.message);
  CHECK_MESSAGE(says(stopped, "op sqrt in the backward pass"), stopped.message);
  CHECK_MESSAGE(says(stopped, "is of first."), stopped.message);
  CHECK(std::isfinite(stopped.found.loss));
  for (const auto& [name, tensor] : model.state_dict()) CHECK_MESSAGE(min(isfinite(tensor)).item() == 1, name);
}

TEST_CASE("a weight that is not finite is named, and so is the group of a batch in groups") {
  const DatasetPtr data = glyphs(40);
  const auto model = tiny_vit(data->info());
  TrainConfig config = quick(5, 10);
  config.groups = 5;
  const Stopped stopped = stop(*model, data, config, [&] { fill_(weight(*model, "norm.bias"), kInf); });
  CHECK_MESSAGE(says(stopped, "first: the weight norm.bias"), stopped.message);
  CHECK(stopped.found.images.size() == 2);
}

TEST_CASE("images that are not finite are named") {
  const DatasetPtr data = glyphs(10);
  const auto model = tiny_vit(data->info());
  ClassificationTask task(*model, {preprocessing_for(*model, data->info()), data->class_names(), {}, 0});
  Batch batch = make_loader(task, data, {.batch_size = 4}).batch(0, 0);
  fill_(batch.images, std::nan(""));
  NotFinite found;
  find_not_finite(task, whole_batch(batch, 1, task.model()), Rng(1), found);
  CHECK(found.where == "the images themselves");
  CHECK(found.images == batch.indices);
}

TEST_CASE("where nothing is broken nothing is named, and running statistics and gradients are left as they were") {
  const DatasetPtr data = glyphs(10);
  const auto model = tiny_vit(data->info());
  ClassificationTask task(*model, {preprocessing_for(*model, data->info()), data->class_names(), {}, 0});
  const Batch batch = make_loader(task, data, {.batch_size = 4}).batch(0, 0);
  NotFinite found;
  find_not_finite(task, whole_batch(batch, 2, task.model()), Rng(1), found);
  CHECK(found.where.empty());
  CHECK(found.images == batch.indices);
  for (const nn::NamedParameter& entry : model->named_parameters()) CHECK(!entry.parameter->grad().defined());
}

TEST_CASE("the report as JSON writes what is not finite as words, and lists every image") {
  NotFinite found;
  found.step = 3, found.loss = std::nan(""), found.grad_norm = kInf, found.where = "op exp in layer head";
  found.images = {5, 1, 9, 2};
  const std::string text = to_json(found);
  const JsonDocument document(text, "report");
  JsonObject json(document.root(), "report");
  CHECK(json.integer("step", 3, 3) == 3);
  CHECK(json.text("loss") == "NaN");
  CHECK(json.text("grad_norm") == "Infinity");
  CHECK(json.text("first") == "op exp in layer head");
  CHECK(json.integers_or("images", 0, 100, {}) == std::vector<int64_t>{5, 1, 9, 2});
  json.finish();
}
