// Features of a whole data set, their standardisation, and a head put into the model.
#include "train/probe/features.h"
#include "train/probe/head.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/modes.h"
#include "tensor/ops.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/model_test.h"
#include "tests/support/scratch_folder.h"
#include "train/evaluate.h"

using namespace vitrail;
using namespace vitrail::testing;

TEST_CASE("features of a data set are those of its pictures one by one, in its order, whatever batches and workers") {
  const DatasetPtr data = glyphs(23);
  const auto model = tiny_vit(data->info(), 1, 0.5);  // with dropout: only evaluation mode gives the same twice
  const Preprocessing preprocessing = preprocessing_for(*model, data->info());
  const FeatureSet all = extract_features(*model, data, preprocessing, {.batch_size = 5});
  CHECK(all.features.shape() == Shape{23, 32});
  CHECK(model->training());  // as before
  for (int64_t i = 0; i < 23; ++i) {
    CHECK(all.labels[i] == data->label(i));
    const Tensor one = features_of(*model, unsqueeze(preprocess(data->sample(i).image, preprocessing), 0));
    CHECK(largest_difference(one, slice(all.features, 0, i, i + 1)) < 1e-5);
  }
  int64_t last = 0;
  const FeatureOptions other{
      .batch_size = 5, .workers = 2, .progress = [&](const char*, int64_t done, int64_t) { last = done; }};
  CHECK(bit_equal(extract_features(*model, data, preprocessing, other).features, all.features));
  CHECK(last == 23);
  CHECK(features_of(*model, random_images({7, 1, 28, 28}), 3).shape() == Shape{7, 32});
}

TEST_CASE("features that are not finite are refused") {
  const DatasetPtr data = glyphs(4);
  const auto model = tiny_vit(data->info());
  Preprocessing preprocessing = preprocessing_for(*model, data->info());
  fill_(model->named_parameters().front().parameter->value(), INFINITY);
  CHECK(refuses([&] { extract_features(*model, data, preprocessing); }, ErrorKind::kNumeric,
                "the model's features are not finite"));
}

TEST_CASE("standardised features have mean 0 and deviation 1, and a head on them equals one on the features as they are") {
  const Tensor raw = rand_normal({50, 4}, 30, 0.1, Rng(3));
  const StandardFeatures standard = standardised(raw);
  CHECK(max(abs(mean(standard.values, {0}))).item() < 1e-12);
  CHECK(max(abs(var(standard.values, {0}, false, 0) - 1)).item() < 1e-10);
  const Tensor weight = to(rand_normal({3, 4}, 0, 1, Rng(4)), Dtype::f64),
               bias = to(rand_normal({3}, 0, 1, Rng(5)), Dtype::f64);
  const Tensor expected = matmul(standard.values, transpose(weight, 0, 1)) + bias;
  // f32 weights of about 10 on features of about 30: 1e-4 of rounding
  CHECK(max(abs(to(apply_head(on_raw_features(weight, bias, standard), raw), Dtype::f64) - expected)).item() < 1e-3);
}

TEST_CASE("a head is put into a model of the same backbone, whatever the model's own classes") {
  const DatasetPtr data = glyphs(6);
  const auto model = tiny_vit(data->info(), 2);
  model->eval();
  const Tensor images = random_images({5, 1, 28, 28});
  const Tensor features = features_of(*model, images);
  const nn::LinearValues head{rand_normal({3, 32}, 0, 1, Rng(1)), rand_normal({3}, 0, 1, Rng(2))};
  const auto changed = with_head(*model, head);
  CHECK(changed->num_classes() == 3);
  CHECK_FALSE(changed->training());
  const NoGradGuard no_grad;
  CHECK(largest_difference((*changed)(images).value(), apply_head(head, features)) < 1e-5);
  for (const auto& entry : model->state_dict()) {
    if (entry.first.starts_with("head.")) continue;
    for (const auto& other : changed->state_dict())
      if (other.first == entry.first) CHECK_MESSAGE(bit_equal(entry.second, other.second), entry.first);
  }
  // The last layer of an MLP has no name of its own.
  models::MlpClassifier mlp({.img_size = 28, .num_classes = 10, .hidden = {9}}, Rng(1));
  const auto small = with_head(mlp, {rand_normal({4, 9}, 0, 1, Rng(3)), zeros({4})});
  CHECK(small->num_classes() == 4);
}
