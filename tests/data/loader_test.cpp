#include "data/loader.h"

#include <algorithm>

#include "data/sets/glyphs.h"
#include "data/sets/scenes.h"
#include "tensor/machine/parallel.h"
#include "tensor/view.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

Loader glyph_loader(int64_t n, LoaderOptions options, Augmentation augmentation = {}) {
  const auto data = std::make_shared<GlyphDataset>(1, true, n);
  return Loader(data, {preprocessing_for(data->info()), augmentation}, options);
}

// The labels of a whole epoch.
std::vector<int64_t> epoch_labels(Loader& loader, int64_t epoch) {
  std::vector<int64_t> all;
  for (int64_t b = 0; b < loader.batches(); ++b) {
    const auto labels = to_vector<int64_t>(loader.batch(epoch, b).labels);
    all.insert(all.end(), labels.begin(), labels.end());
  }
  return all;
}

}  // namespace

TEST_CASE("the order of an epoch is a permutation that differs by epoch and by seed") {
  for (const int64_t n : {0, 1, 2, 17, 1000}) {
    auto order = epoch_order(n, 7, 3);
    std::sort(order.begin(), order.end());
    std::vector<int64_t> identity(n);
    for (int64_t i = 0; i < n; ++i) identity[i] = i;
    CHECK(order == identity);
  }
  CHECK(epoch_order(100, 7, 3) == epoch_order(100, 7, 3));
  CHECK(epoch_order(100, 7, 3) != epoch_order(100, 7, 4));
  CHECK(epoch_order(100, 7, 3) != epoch_order(100, 8, 3));
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { epoch_order(3, 0, -1); }), "must not be negative");
}

TEST_CASE("a last batch of one sample joins the batch before it where that is asked") {
  Loader joined = glyph_loader(33, {.batch_size = 16, .join_last_one = true});
  CHECK(joined.batches() == 2);
  CHECK(joined.samples() == 33);
  CHECK(joined.batch(0, 0).images.shape() == Shape{16, 1, 28, 28});
  CHECK(joined.batch(0, 1).images.shape() == Shape{17, 1, 28, 28});
  Loader apart = glyph_loader(33, {.batch_size = 16});
  const auto labels = epoch_labels(joined, 2), all = epoch_labels(apart, 2);
  CHECK(labels == all);
  const auto batches = [](int64_t samples, LoaderOptions options) { return count_batches(samples, options); };
  CHECK(batches(33, {.batch_size = 16}) == 3);
  CHECK(batches(34, {.batch_size = 16, .join_last_one = true}) == 3);
  CHECK(batches(32, {.batch_size = 16, .join_last_one = true}) == 2);
  CHECK(batches(1, {.batch_size = 16, .join_last_one = true}) == 1);  // nothing to join
  CHECK(batches(3, {.batch_size = 1, .join_last_one = true}) == 3);
  CHECK(batches(33, {.batch_size = 16, .drop_last = true, .join_last_one = true}) == 2);
}

TEST_CASE("an epoch shows every sample once; the short last batch is kept or dropped") {
  Loader keep = glyph_loader(50, {.batch_size = 16});
  CHECK(keep.batches() == 4);
  CHECK(keep.batch(0, 3).images.shape() == Shape{2, 1, 28, 28});
  auto labels = epoch_labels(keep, 2);
  CHECK(labels.size() == 50);
  std::sort(labels.begin(), labels.end());
  auto all = to_vector<int64_t>(glyph_loader(50, {.batch_size = 50, .train = false}).batch(0, 0).labels);
  std::sort(all.begin(), all.end());
  CHECK(labels == all);
  Loader drop = glyph_loader(50, {.batch_size = 16, .drop_last = true});
  CHECK(drop.batches() == 3);
  CHECK(drop.samples() == 48);
}

TEST_CASE("batches have the same bits for any number of threads, and in any order of asking") {
  const int before = num_threads();
  const Augmentation augmentation{.crop_padding = 3, .mirror = true};
  set_num_threads(1);
  Loader one = glyph_loader(64, {.batch_size = 32, .seed = 5}, augmentation);
  const Batch expected = one.batch(3, 1);
  for (const int threads : {2, 4}) {
    set_num_threads(threads);
    Loader many = glyph_loader(64, {.batch_size = 32, .seed = 5}, augmentation);
    many.batch(7, 0);
    const Batch got = many.batch(3, 1);
    CHECK(bit_equal(got.images, expected.images));
    CHECK(bit_equal(got.labels, expected.labels));
  }
  set_num_threads(before);
}

TEST_CASE("augmentation changes from epoch to epoch but not with the batch size") {
  const Augmentation augmentation{.crop_padding = 3, .mirror = false};
  Loader small = glyph_loader(8, {.batch_size = 1, .seed = 5}, augmentation);
  Loader large = glyph_loader(8, {.batch_size = 8, .seed = 5}, augmentation);
  const Tensor whole = large.batch(1, 0).images;
  for (int64_t i = 0; i < 8; ++i) CHECK(bit_equal(small.batch(1, i).images, slice(whole, 0, i, i + 1)));
  const auto sum = [](const Tensor& x) {
    double total = 0;
    for (double v : to_vector<double>(x)) total += v;
    return total;
  };
  CHECK(sum(whole) != sum(large.batch(2, 0).images));  // other borders were cut off
}

TEST_CASE("evaluation keeps the order and leaves the images alone") {
  const auto data = std::make_shared<SceneDataset>(1, false, 5, 32);
  Loader loader(data, {preprocessing_for(data->info()), {.crop_padding = 4, .mirror = true}},
                {.batch_size = 2, .train = false});
  for (const int64_t epoch : {0, 3}) {
    const Batch batch = loader.batch(epoch, 1);
    CHECK(batch.labels.at({0}) == static_cast<double>(data->label(2)));
    CHECK(bit_equal(select(batch.images, 0, 0), normalize(data->sample(2).image, data->info().mean, data->info().std)));
  }
}

TEST_CASE("a batch keeps each sample's target and number beside its picture") {
  Loader loader = glyph_loader(10, {.batch_size = 4, .seed = 2});
  const Batch batch = loader.batch(1, 2);  // the short last one
  REQUIRE(batch.size() == 2);
  for (int64_t i = 0; i < 2; ++i) {
    CHECK(batch.targets[i].label == loader.dataset().label(batch.indices[i]));
    CHECK(batch.labels.at({i}) == static_cast<double>(batch.targets[i].label));
  }
}

TEST_CASE("a loader prepares and collates as it is told") {
  const auto data = std::make_shared<SceneDataset>(1, false, 6, 32);
  const Prepare prepare = [](const Sample& sample, const Rng* rng) {
    Target target = sample.target;
    target.captions = {rng ? "train" : "test"};
    return Example{ones({1, 2, 2}), std::move(target)};
  };
  const Collate collate = [](std::vector<Example> examples) {
    std::reverse(examples.begin(), examples.end());
    return collate_examples(std::move(examples));
  };
  for (const bool train : {false, true}) {
    Loader loader(data, prepare, collate, {.batch_size = 3, .train = train});
    const Batch batch = loader.batch(0, 1);
    CHECK(batch.images.shape() == Shape{3, 1, 2, 2});
    CHECK(batch.targets[0].captions[0] == (train ? "train" : "test"));
    if (!train) CHECK(batch.indices == std::vector<int64_t>{5, 4, 3});
  }
}

TEST_CASE("images of different shapes make no batch") {
  CHECK_SAYS(refusal(ErrorKind::kShape,
                     [] {
                       collate_examples({{ones({1, 2, 2}), {}, 7}, {ones({1, 2, 3}), {}, 9}});
                     }),
             "image 7 is [1, 2, 2], image 9 is [1, 2, 3]");
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { collate_examples({{ones({1}, Dtype::f64), {}, 7}}); }), "image 7 is f64");
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { collate_examples({}); }), "no examples");
}

TEST_CASE("a loader refuses what cannot be loaded") {
  const auto message = [](LoaderOptions options) { return refusal(ErrorKind::kValue, [&] { glyph_loader(10, options); }); };
  CHECK_SAYS(message({.batch_size = 0}), "batch_size must be in [1, 1048576]: it is 0");
  CHECK_SAYS(message({.batch_size = 11, .drop_last = true}), "an epoch has no full batch: batch_size is 11");
  Loader loader = glyph_loader(10, {.batch_size = 5});
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { loader.batch(0, 2); }), "there is no batch 2 in epoch 0: an epoch has 2");
}
