// The memory of a run, estimated before it starts.
#include "train/memory.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "tensor/machine/parallel.h"
#include "tensor/storage.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/scratch_folder.h"
#include "train/task/classification.h"
#include "train/trainer.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

ClassificationTask task_of(models::Classifier& model, const DatasetPtr& data, const TrainConfig& config) {
  return ClassificationTask(model, classification_options(config, preprocessing_for(model, data->info()), data->class_names()));
}

}  // namespace

TEST_CASE("the estimate is near the peak of the run") {
  const DatasetPtr data = glyphs(128);
  for (const char* optimizer : {"adamw", "sgd"}) {
    CAPTURE(optimizer);
    const auto model = tiny_vit(data->info());
    TrainConfig config = quick(2, 64);
    config.optimizer = optimizer;
    config.ema_decay = 0.9;
    ClassificationTask task = task_of(*model, data, config);
    const int64_t before = memory_stats().live_bytes;
    const double estimate = static_cast<double>(estimate_memory(task, data, config).total() - before);
    reset_peak_memory();
    TrainCallbacks callbacks;
    callbacks.quiet = true;
    Trainer(task, data, nullptr, config, callbacks).run();
    const double peak = static_cast<double>(memory_stats().peak_bytes - before);
    MESSAGE("ran: estimate ", estimate, " bytes, peak ", peak, " bytes");
    CHECK(estimate > 0.8 * peak);
    CHECK(estimate < 1.2 * peak);
  }
}

TEST_CASE(
    "of several ranks each needs its own groups' sums and images, an array of gradients, and with parts its part of the "
    "moments") {
  const DatasetPtr data = glyphs(128);
  const auto model = tiny_vit(data->info());
  TrainConfig config = quick(2, 64);
  config.groups = 8;
  ClassificationTask task = task_of(*model, data, config);
  const auto fixed = [&](int64_t ranks, bool shard) { return estimate_memory(task, data, config, {ranks, shard}).fixed; };
  const int64_t weights = 4 * model->num_parameters(), image = 28 * 28 * 4;
  // The passes are measured: of two threads both, or one after the other, may hold scratch memory at the peak.
  const int threads = num_threads();
  set_num_threads(1);
  fixed(1, false);  // what is made once
  const auto near = [&](int64_t bytes, int64_t expected) { return std::abs(bytes - expected) < weights / 2; };
  // Eight groups need four sums at a time, two groups two; 48 images less are there, and one array more.
  CHECK(near(fixed(1, false) - fixed(4, false), 2 * weights - weights + 48 * image));
  CHECK(near(fixed(4, false) - fixed(4, true), 2 * weights - 2 * weights / 4));
  set_num_threads(threads);
}

TEST_CASE("too large a run is refused with its numbers, and model and gradients are as before") {
  const DatasetPtr data = glyphs(64);
  const auto model = tiny_vit(data->info());
  const TrainConfig config = quick(1, 64);
  ClassificationTask task = task_of(*model, data, config);
  const Tensor head = clone(model->state_dict().back().second);
  CHECK(refuses([&] { check_memory(task, data, config, 1000); }, ErrorKind::kMemory,
                "for each of the 64 images of a pass), the limit is 1000. Hint: a smaller batch"));
  check_memory(task, data, config, 0);
  check_memory(task, data, config, int64_t{1} << 34);
  CHECK(bit_equal(model->state_dict().back().second, head));
  for (const auto& entry : model->named_parameters()) CHECK(!entry.parameter->grad().defined());
}

TEST_CASE("an estimate leaves running statistics alone") {
  const DatasetPtr data = glyphs(16);
  const models::DataShape shape{.in_chans = 1, .img_height = 28, .img_width = 28, .num_classes = 20};
  Rng rng(0);
  const auto model =
      models::make_model(models::adapted(models::ResNetConfig{.widths = {8}, .blocks_per_stage = 1}, shape), rng);
  nn::StateDict before;
  for (const auto& [name, tensor] : model->state_dict()) before.emplace_back(name, clone(tensor));
  const TrainConfig config = quick(1, 8);
  ClassificationTask task = task_of(*model, data, config);
  estimate_memory(task, data, config);
  const nn::StateDict after = model->state_dict();
  for (size_t i = 0; i < before.size(); ++i) CHECK_MESSAGE(bit_equal(before[i].second, after[i].second), before[i].first);
}
