// The trainer refuses a model whose loss depends on a parameter that it would never train.
#include <doctest/doctest.h>

#include "nn/linear.h"
#include "tests/support/learn_helpers.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// A linear classifier of 28 x 28 pixels whose hidden layer nobody registered.
struct Forgetful : models::Classifier {
  Forgetful(int64_t classes, Rng& rng) : hidden(28 * 28, 8, rng), head(8, classes, rng) { register_module("head", head); }
  Variable forward(const Variable& images) override { return head(relu(hidden(flatten(images, 1)))); }
  int64_t in_chans() const override { return 1; }
  int64_t img_height() const override { return 28; }
  int64_t img_width() const override { return 28; }
  int64_t num_classes() const override { return head.weight.size(0); }
  std::string config_json() const override { return "{}"; }
  nn::Linear hidden, head;
};

}  // namespace

TEST_CASE("training stops at the first step when a layer was never registered, with a hint") {
  const DatasetPtr data = glyphs(8);
  Rng rng(1);
  Forgetful model(data->num_classes(), rng);
  int steps = 0;
  const TrainCallbacks callbacks{.quiet = true, .on_step = [&](int64_t, double) { ++steps; }};
  CHECK_THROWS_WITH_AS(train_model(model, data, nullptr, preprocessing_for(model, data->info()), quick(1, 8), callbacks),
                       doctest::Contains("its shape is [8, 784], its op is linear. Hint: call register_module"), Error);
  CHECK(steps == 0);
}
