// Training and evaluation leave every module in the mode that its owner gave it.
#include <doctest/doctest.h>

#include "nn/norm.h"
#include "tests/support/learn_helpers.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

std::unique_ptr<models::Classifier> small_resnet(const DatasetInfo& info) {
  Rng rng(1);
  const models::DataShape data{
      .in_chans = info.channels, .img_height = 16, .img_width = 16, .num_classes = static_cast<int64_t>(info.class_names.size())};
  return models::make_model(adapted(models::ResNetConfig{.widths = {4, 8}, .blocks_per_stage = 1}, data), rng);
}

nn::BatchNorm2d& norm_at(nn::Module& model, const std::string& path) {
  for (const auto& [name, module] : model.named_modules())
    if (name == path) return dynamic_cast<nn::BatchNorm2d&>(*module);
  throw std::runtime_error(path);
}

TrainResult train(models::Classifier& model, const DatasetPtr& data, int64_t epochs, TrainCallbacks callbacks = {}) {
  callbacks.quiet = true;
  return train_model(model, data, data, preprocessing_for(model, data->info()), quick(epochs, 10), callbacks);
}

}  // namespace

TEST_CASE("evaluate() leaves a batch norm in evaluation among layers in training as it was") {
  const DatasetPtr data = glyphs(20);
  const auto model = small_resnet(data->info());
  norm_at(*model, "bn1").eval();
  evaluate(*model, data, preprocessing_for(*model, data->info()));
  CHECK(model->training());
  CHECK_FALSE(norm_at(*model, "bn1").training());
  CHECK(norm_at(*model, "layer1.0.bn1").training());
}

TEST_CASE("a batch norm put into evaluation keeps its statistics over all epochs of a run with evaluation in between") {
  const DatasetPtr data = glyphs(20);
  const auto model = small_resnet(data->info());
  nn::BatchNorm2d &frozen = norm_at(*model, "bn1"), &free = norm_at(*model, "layer1.0.bn1");
  frozen.eval();
  const Tensor before = clone(frozen.running_mean), free_before = clone(free.running_mean);
  int epochs = 0;
  TrainCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochReport& report) {
    ++epochs;
    CHECK(report.test.has_value());
    CHECK_FALSE(frozen.training());
    CHECK(free.training());
  };
  train(*model, data, 3, callbacks);
  CHECK(epochs == 3);
  CHECK(bit_equal(frozen.running_mean, before));
  CHECK_FALSE(bit_equal(free.running_mean, free_before));
}

TEST_CASE("a model in evaluation is trained, but for what freeze() froze") {
  const DatasetPtr data = glyphs(20);
  const auto model = small_resnet(data->info());
  nn::BatchNorm2d &frozen = norm_at(*model, "bn1"), &free = norm_at(*model, "layer1.0.bn1");
  frozen.freeze();
  train(*model, data, 1);
  CHECK_FALSE(model->training());
  const Tensor before = clone(frozen.running_mean), weight = clone(frozen.weight.value()), free_before = clone(free.running_mean);
  train(*model, data, 1);  // the first run left it in evaluation
  CHECK(bit_equal(frozen.running_mean, before));
  CHECK(bit_equal(frozen.weight.value(), weight));
  CHECK_FALSE(bit_equal(free.running_mean, free_before));
}
