#include "data/augment/mixing.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "data/loader.h"
#include "data/sets/scenes.h"
#include "tensor/machine/parallel.h"
#include "tensor/view.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::augment;
using namespace vitrail::testing;

namespace {

// Picture i has the value i everywhere, and label i % classes.
Batch batch_of(int64_t count, int64_t classes, int64_t side = 8) {
  std::vector<Example> examples;
  for (int64_t i = 0; i < count; ++i)
    examples.push_back({full({2, side, side}, static_cast<double>(i)), Target(i % classes), i});
  return collate_examples(std::move(examples));
}

double largest_gap(std::vector<double> draws, double (*distribution)(double)) {
  std::sort(draws.begin(), draws.end());
  double gap = 0;
  for (size_t i = 0; i < draws.size(); ++i)
    gap = std::max(gap, std::abs(distribution(draws[i]) - (static_cast<double>(i) + 0.5) / static_cast<double>(draws.size())));
  return gap;
}

std::vector<double> draws(double alpha, int count) {
  std::vector<double> result;
  for (int i = 0; i < count; ++i) result.push_back(draw_beta(alpha, Rng(1).at(static_cast<uint64_t>(i))));
  return result;
}

}  // namespace

TEST_CASE("lambda is Beta(alpha, alpha)") {
  constexpr int kDraws = 20000;
  const double limit = 2 / std::sqrt(static_cast<double>(kDraws));  // Kolmogorov-Smirnov: exceeded once in 1,500 runs
  CHECK(largest_gap(draws(1, kDraws), [](double x) { return x; }) < limit);
  CHECK(largest_gap(draws(0.5, kDraws), [](double x) { return 2 / std::numbers::pi * std::asin(std::sqrt(x)); }) < limit);
  CHECK(largest_gap(draws(2, kDraws), [](double x) { return x * x * (3 - 2 * x); }) < limit);
  for (const double alpha : {0.2, 0.8, 5.0}) {
    double sum = 0, squares = 0;
    for (const double x : draws(alpha, kDraws)) sum += x, squares += (x - 0.5) * (x - 0.5);
    CHECK(sum / kDraws == doctest::Approx(0.5).epsilon(0.02));
    CHECK(squares / kDraws == doctest::Approx(1 / (4 * (2 * alpha + 1))).epsilon(0.03));
  }
  for (const double x : draws(0.001, 1000)) CHECK((x >= 0 && x <= 1));
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { draw_beta(0, Rng(1)); }), "alpha must be positive: it is 0");
}

TEST_CASE("mixup and CutMix take any number of pictures, and labels follow the pixels") {
  for (const int64_t count : {1, 2, 3, 7, 32}) {
    for (const Mixing& mixing : {Mixing{.mixup = 0.8}, Mixing{.cutmix = 1}, Mixing{.mixup = 0.8, .cutmix = 1}}) {
      for (uint64_t key = 0; key < 20; ++key) {
        Batch batch = batch_of(count, 5);
        const Mix plan = draw_mix(mixing, count, 8, 8, Rng(2).at(key));
        mix(batch, 0, count, 5, mixing, Rng(2).at(key));
        CHECK(batch.size() == count);
        CHECK(batch.soft_labels.shape() == Shape{count, 5});
        for (int64_t i = 0; i < count; ++i) {
          const int64_t other = plan.partners.empty() ? i : plan.partners[static_cast<size_t>(i)];
          // The mean of the pixels is the mixture of the two values by lambda: the same as of the labels.
          double mean = 0;
          for (int64_t k = 0; k < 128; ++k) mean += batch.images.data<float>()[i * 128 + k] / 128.0;
          CHECK(mean == doctest::Approx(plan.lambda * static_cast<double>(i) + (1 - plan.lambda) * static_cast<double>(other))
                            .epsilon(1e-5));
          double sum = 0;
          for (int64_t c = 0; c < 5; ++c) {
            const double expected = (c == i % 5) * plan.lambda + (c == other % 5) * (1 - plan.lambda);
            CHECK(batch.soft_labels.at({i, c}) == doctest::Approx(expected).epsilon(1e-6));
            sum += batch.soft_labels.at({i, c});
          }
          CHECK(sum == doctest::Approx(1));
          const int64_t larger = plan.lambda >= 0.5 ? i % 5 : other % 5;
          CHECK(batch.labels.at({i}) == static_cast<double>(larger));
          CHECK(batch.targets[static_cast<size_t>(i)].label == i % 5);
        }
      }
    }
  }
}

TEST_CASE("CutMix lays a rectangle of the drawn part over each picture, cut at the border") {
  int cut_at_border = 0;
  double kept = 0;
  for (uint64_t key = 0; key < 2000; ++key) {
    const Mix plan = draw_mix({.cutmix = 1}, 4, 32, 48, Rng(3).at(key));
    const Rectangle& r = plan.cut;
    CHECK((r.top >= 0 && r.left >= 0 && r.top + r.height <= 32 && r.left + r.width <= 48));
    CHECK(plan.lambda == doctest::Approx(1 - static_cast<double>(r.height * r.width) / (32.0 * 48)));
    cut_at_border += r.top == 0 || r.left == 0 || r.top + r.height == 32 || r.left + r.width == 48;
    kept += plan.lambda / 2000;
  }
  CHECK(cut_at_border > 500);
  CHECK((kept > 0.55 && kept < 0.75));  // above 1/2: what is beyond the border is not cut out
}

TEST_CASE("where both are on, CutMix takes its part of the batches") {
  int cut = 0;
  for (uint64_t key = 0; key < 2000; ++key) {
    const Mix plan = draw_mix({.mixup = 0.8, .cutmix = 1, .switch_probability = 0.25}, 4, 32, 32, Rng(4).at(key));
    cut += plan.cut.height > 0 || plan.partners.empty();
  }
  CHECK((cut > 420 && cut < 580));
}

TEST_CASE("groups of a batch are mixed among themselves, by random numbers of their own") {
  const auto data = std::make_shared<SceneDataset>(1, true, 24, 32);
  const auto batch = [&](int64_t groups, int64_t least) {
    Loader loader(data, {preprocessing_for(data->info()), {}},
                  {.batch_size = 8, .seed = 3, .mixing = {.mixup = 0.8}, .groups = groups, .least_in_group = least});
    return loader.batch(1, 0);
  };
  const Batch whole = batch(1, 1), halves = batch(2, 1);
  CHECK(!bit_equal(whole.images, halves.images));
  CHECK(bit_equal(batch(4, 4).images, halves.images));  // never fewer than four in a group
  Loader plain(data, {preprocessing_for(data->info()), {}}, {.batch_size = 8, .seed = 3});
  Batch by_hand = plain.batch(1, 0);
  const Rng rng = Rng(3, 14).at(3);  // step 3: batch 0 of epoch 1
  mix(by_hand, 0, 4, data->num_classes(), {.mixup = 0.8}, rng.at(0));
  mix(by_hand, 4, 8, data->num_classes(), {.mixup = 0.8}, rng.at(1));
  CHECK(bit_equal(by_hand.images, halves.images));
  CHECK(bit_equal(by_hand.soft_labels, halves.soft_labels));
}

TEST_CASE("the last epochs can go without mixing, and evaluation always does") {
  const auto data = std::make_shared<SceneDataset>(1, true, 8, 32);
  Loader loader(data, {preprocessing_for(data->info()), {}}, {.batch_size = 8, .mixing = {.cutmix = 1}, .mixup_off_epoch = 2});
  CHECK(loader.batch(1, 0).soft_labels.defined());
  CHECK(!loader.batch(2, 0).soft_labels.defined());
  Loader evaluation(data, {preprocessing_for(data->info()), {}}, {.batch_size = 8, .train = false, .mixing = {.cutmix = 1}});
  CHECK(!evaluation.batch(0, 0).soft_labels.defined());
}

TEST_CASE("mixing refuses what is no class") {
  Batch batch = batch_of(3, 5);
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { mix(batch, 0, 3, 2, {.mixup = 1}, Rng(1)); }), "label 2 is outside [0, 2)");
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { draw_mix({}, 3, 2, 2, Rng(1)); }), "neither mixup nor cutmix is on");
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { draw_mix({.mixup = -1}, 3, 2, 2, Rng(1)); }),
             "alpha must lie in [0, 1000]: it is -1");
}
