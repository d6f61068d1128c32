// Deletion and insertion, on a model that looks at one patch alone.
#include "models/explain/perturbation.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "models/explain/explanation.h"
#include "tensor/ops.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

using namespace models;
using namespace models::explain;

// Logit 1 is the mean brightness of one patch; logit 0 is 0.
class OnePatch : public Classifier {
 public:
  OnePatch(int64_t top, int64_t left, int64_t side) : top_(top), left_(left), side_(side) {}
  int64_t in_chans() const override { return 1; }
  int64_t img_height() const override { return 16; }
  int64_t img_width() const override { return 16; }
  int64_t num_classes() const override { return 2; }
  std::string config_json() const override { return "{}"; }
  Variable forward(const Variable& images) override {
    largest_batch = std::max(largest_batch, images.size(0));
    const Tensor patch = slice(slice(images.value(), 2, top_, top_ + side_), 3, left_, left_ + side_);
    const Tensor logit = mean(patch, {1, 2, 3});
    return Variable(stack(std::vector<Tensor>{zeros_like(logit), logit}, 1));
  }
  int64_t largest_batch = 0;

 private:
  int64_t top_, left_, side_;
};

const Preprocessing kPlain{.height = 16, .width = 16, .channels = 1, .mean = {0.2}, .std = {0.1}};

Encoder encoder_for(Classifier& model) {
  Encoder e;
  e.model = &model, e.image = 16, e.grid = 4;
  return e;
}

std::vector<int64_t> first_then_rest(int64_t first) {
  std::vector<int64_t> order{first};
  for (int64_t i = 0; i < 16; ++i)
    if (i != first) order.push_back(i);
  return order;
}

TEST_CASE("with the one patch that matters first, deletion falls and insertion rises at the first step") {
  OnePatch model(4, 8, 4);  // patch number 6
  const Encoder encoder = encoder_for(model);
  // Only that patch is bright: 255 is 8 after normalisation, blurred it is much darker.
  Tensor picture = full({1, 16, 16}, 51, Dtype::u8);
  fill_(slice(slice(picture, 1, 4, 8), 2, 8, 12), 255);
  const PerturbationTest test(encoder, picture, kPlain, 1, 16);
  const Perturbation good = test.run(first_then_rest(6)), bad = test.run([] {
    std::vector<int64_t> order = first_then_rest(6);
    std::swap(order.front(), order.back());
    return order;
  }());
  const double bright = 1 / (1 + std::exp(-8.0)), mean_colour = 0.5;
  REQUIRE(good.deletion.probability.size() == 17);
  CHECK(good.deletion.probability[0] == doctest::Approx(bright).epsilon(1e-4));
  for (size_t i = 1; i < 17; ++i) CHECK(good.deletion.probability[i] == doctest::Approx(mean_colour));
  CHECK(good.deletion.area == doctest::Approx((bright + mean_colour) / 2 / 16 + mean_colour * 15 / 16).epsilon(1e-4));
  CHECK(bad.deletion.area == doctest::Approx(bright * 15 / 16 + (bright + mean_colour) / 2 / 16).epsilon(1e-4));
  CHECK(good.insertion.probability[1] == doctest::Approx(bright).epsilon(1e-4));
  CHECK(good.insertion.probability[0] < bright - 1e-3);  // blurred
  CHECK(good.insertion.area > bad.insertion.area);
  CHECK(model.largest_batch <= 8);
}

TEST_CASE("fewer steps than patches change several at once, more are as many as patches, and the ends are the same") {
  OnePatch model(0, 0, 4);
  const Encoder encoder = encoder_for(model);
  const Tensor picture = full({1, 16, 16}, 255, Dtype::u8);
  const Perturbation three = PerturbationTest(encoder, picture, kPlain, 1, 3).run(first_then_rest(0));
  CHECK(three.deletion.share == std::vector<double>{0, 5.0 / 16, 10.0 / 16, 1});
  CHECK(PerturbationTest(encoder, picture, kPlain, 1, 100).run(first_then_rest(0)).deletion.share.size() == 17);
  CHECK(three.deletion.probability.back() == doctest::Approx(0.5));
  CHECK(contains(message_of([&] { PerturbationTest(encoder, picture, kPlain, 1, 0); }), "steps must be in [1, 1000]: it is 0"));
}

TEST_CASE("random orders are a function of the seed, and their mean curve is the mean of theirs") {
  OnePatch model(4, 8, 4);
  const Encoder encoder = encoder_for(model);
  Tensor picture = full({1, 16, 16}, 51, Dtype::u8);
  fill_(slice(slice(picture, 1, 4, 8), 2, 8, 12), 255);
  const PerturbationTest test(encoder, picture, kPlain, 1, 16);
  const RandomOrders a = random_orders(test, 16), b = random_orders(test, 16), other = random_orders(test, 16, 4, 1);
  CHECK(a.deletion_areas == b.deletion_areas);
  CHECK(a.deletion_areas != other.deletion_areas);
  REQUIRE(a.deletion_areas.size() == 4);
  CHECK(std::accumulate(a.deletion_areas.begin(), a.deletion_areas.end(), 0.0) / 4 == doctest::Approx(a.mean.deletion.area));
  const Perturbation good = test.run(first_then_rest(6));
  CHECK(verdict(good, a) == "better than all 4 random orders");
  CHECK(verdict(a.mean, a) == "no better than random orders");
  Perturbation half = good;
  half.insertion.area = 0;
  CHECK(verdict(half, a) == "better in deletion only");
  half = good, half.deletion.area = 1;
  CHECK(verdict(half, a) == "better in insertion only");
}

TEST_CASE("patches are ordered by importance, equal ones as they lie") {
  CHECK(order_of(from_vector(std::vector<double>{1, 5, 3, 5}, {2, 2})) == std::vector<int64_t>{1, 3, 2, 0});
}

TEST_CASE("an explanation of a ViT has a map per method, scores and distances; unknown methods are named") {
  Rng rng(1);
  ViT model(tiny_config(), rng);
  Preprocessing p{.height = 8, .width = 8, .channels = 3, .mean = {0.5, 0.5, 0.5}, .std = {0.2, 0.2, 0.2}};
  const Encoder encoder = encoder_of(model, 8);
  const Tensor picture = full({3, 8, 8}, 90, Dtype::u8);
  const Explanation e = explain::explain(encoder, picture, p);
  REQUIRE(e.maps.size() == 3);
  for (const ExplainedMap& map : e.maps) {
    CHECK(map.map.shape() == Shape{2, 2});
    CHECK(map.scores->deletion.share.size() == 5);
  }
  CHECK(e.distances.shape() == Shape{2, 2});
  CHECK(std::accumulate(e.probabilities.begin(), e.probabilities.end(), 0.0) == doctest::Approx(1));
  const Explanation quick = explain::explain(encoder, picture, p, {.methods = {Method::kGradient}, .target = 3, .steps = 0});
  CHECK(!quick.random);
  CHECK(quick.record.target == 3);
  CHECK(quick.maps.front().method == method_from_name("gradient"));
  CHECK(contains(message_of([] { method_from_name("lime\n"); }),
                 "there is no method lime\\x0a. Hint: one of rollout, gradient, attention."));
  CHECK(contains(message_of([&] { explain::explain(encoder, picture, p, {.steps = 1001}); }), "steps must be in [0, 1000]"));
}

}  // namespace
}  // namespace vitrail::testing
