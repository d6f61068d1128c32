// A run on several ranks is the run of one process, to the bit.
#include "train/ranks/ranks.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

#include "autograd/ops.h"
#include "base/text.h"
#include "comm/collectives.h"
#include "comm/threads.h"
#include "models/presets.h"
#include "nn/nn.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "tests/support/learn_helpers.h"
#include "train/ranks/bucket_size.h"
#include "train/ranks/split.h"
#include "train/task/classification.h"
#include "train/trainer.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// Everything that is random or has a state: dropout, drop path, augmentation, mixing, moments, averages, clipping, a short
// batch (24 + 24 + 7 images), an epoch border inside.
TrainConfig full_config(int64_t groups) {
  TrainConfig config = quick(2, 24);
  config.groups = groups;
  config.crop_padding = 2;
  config.mirror = true;
  config.mixup = 0.4, config.cutmix = 1, config.mix_switch = 0.5;
  config.label_smoothing = 0.1;
  config.ema_decay = 0.9;
  config.clip_norm = 0.5;
  config.save_every = 0;
  return config;
}

models::ModelConfig batch_norm_model() {
  models::CnnConfig config;
  config.img_size = 28, config.in_chans = 1, config.num_classes = 20;
  return config;
}

std::unique_ptr<models::Classifier> model_of(const std::string& kind, const DatasetInfo& info, uint64_t seed) {
  if (kind == "vit") return tiny_vit(info, seed, 0.2);
  Rng rng(seed);
  const models::DataShape shape{info.channels, info.height, info.width, static_cast<int64_t>(info.class_names.size())};
  if (kind == "cct") return models::make_model("cct_2_3x2_d64", rng, shape);
  return models::make_model(batch_norm_model(), rng);
}

struct Run {
  std::string model = "vit";
  int ranks = 1;
  bool overlap = true, shard = false, compress = false;
  int64_t bucket_bytes = 4096;
  void (*reduce)(Communicator&, std::span<float>) = nullptr;
  int stop_at = 0;  // 0: at the end
  const RunState* from = nullptr;
};

// The state in which rank 0 ends; the others must have the same weights, and every test result.
RunState run(const TrainConfig& config, const Run& what) {
  const DatasetPtr train = glyphs(55), test = glyphs(20, Split::kTest);
  RunState state;
  std::vector<std::vector<double>> losses(static_cast<size_t>(what.ranks));
  run_ranks(what.ranks, [&](Communicator& comm) {
    // Other first weights on the other ranks: rank 0's count.
    const auto model = model_of(what.model, train->info(), static_cast<uint64_t>(comm.rank()));
    ClassificationTask task(*model,
                            classification_options(config, preprocessing_for(*model, train->info()), train->class_names()));
    TrainCallbacks callbacks;
    callbacks.quiet = true;
    callbacks.ranks = {&comm, {what.overlap, what.bucket_bytes, what.compress, what.shard, what.reduce}};
    callbacks.on_update = [&](const StepReport& report) { losses[static_cast<size_t>(comm.rank())].push_back(report.loss); };
    callbacks.on_epoch = [&](const EpochReport& report) {
      if (report.test) losses[static_cast<size_t>(comm.rank())].push_back(report.test->at("loss"));
    };
    Trainer trainer(task, train, test, config, callbacks);
    if (what.from) trainer.restore(*what.from);
    for (int i = 0; (what.stop_at == 0 || i < what.stop_at) && trainer.step(); ++i) {
    }
    const RunState own = trainer.state();  // of a sharded run all ranks together
    if (comm.rank() == 0) state = own;
  });
  for (size_t r = 1; r < losses.size(); ++r) CHECK(losses[r].size() <= losses[0].size());
  return state;
}

void check_same(const RunState& a, const RunState& b) { CHECK(listed(differences(a, b)) == ""); }

}  // namespace

TEST_CASE("weights, moments, averages and scores are the same to the bit on 1, 2, 4 and 8 ranks, and on 1, 3 and 6") {
  for (const std::string model : {"vit", "cct", "cnn"})
    for (const auto& [groups, all] : {std::pair(8, std::vector<int>{2, 4, 8}), {24, {3, 6}}}) {
      const TrainConfig config = full_config(groups);
      const RunState one = run(config, {.model = model});
      CHECK(one.step == 6);
      for (const int ranks : all) {
        CAPTURE(model);
        CAPTURE(ranks);
        check_same(run(config, {.model = model, .ranks = ranks}), one);
        check_same(run(config, {.model = model, .ranks = ranks, .overlap = false}), one);
      }
    }
}

// In another order: rank 0's values, then those of 1, 2, 3, ..., as a ring that begins at rank 0 adds them.
static void one_after_another(Communicator& comm, std::span<float> values) {
  const std::string own(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  const std::vector<std::string> all = all_gather(comm, own);
  std::memcpy(values.data(), all[0].data(), values.size_bytes());
  for (size_t r = 1; r < all.size(); ++r) {
    const auto* x = reinterpret_cast<const float*>(all[r].data());
    for (size_t i = 0; i < values.size(); ++i) values[i] += x[i];
  }
}

TEST_CASE("the same test sees a sum in another order") {
  const TrainConfig config = full_config(8);
  const RunState one = run(config, {});
  check_same(run(config, {.ranks = 2, .reduce = one_after_another}), one);  // of two there is one order
  CHECK_FALSE(differences(run(config, {.ranks = 4, .reduce = one_after_another}), one).empty());
}

TEST_CASE("neither the number of threads nor the size of the buckets changes a bit") {
  const TrainConfig config = full_config(8);
  const RunState one = run(config, {});
  const int threads = num_threads();
  for (const int64_t bytes : {int64_t{1}, int64_t{1} << 30}) check_same(run(config, {.ranks = 4, .bucket_bytes = bytes}), one);
  set_num_threads(1);
  check_same(run(config, {.ranks = 2}), one);
  set_num_threads(threads);
}

TEST_CASE("a run that stops on some ranks goes on with others, to the undisturbed run's bits") {
  const TrainConfig config = full_config(8);
  const RunState one = run(config, {});
  for (const int stop : {1, 2, 3, 4, 5})
    for (const auto& [before, after] : {std::pair(4, 1), {1, 8}, {2, 4}}) {
      CAPTURE(stop);
      const RunState half = run(config, {.ranks = before, .stop_at = stop});
      CHECK(half.step == stop);
      check_same(run(config, {.ranks = after, .from = &half}), one);
    }
}

TEST_CASE("an optimiser in parts gives the bits of a whole one, for every rule, and goes on in others' parts") {
  for (const char* name : {"adamw", "sgd", "lion", "rmsprop", "muon", "lamb", "lars"}) {
    TrainConfig config = full_config(8);
    config.optimizer = name;
    config.lr = 1e-2;
    const RunState one = run(config, {});
    for (const int ranks : {2, 4}) {
      CAPTURE(name);
      CAPTURE(ranks);
      check_same(run(config, {.ranks = ranks, .shard = true}), one);
      const RunState half = run(config, {.ranks = ranks, .shard = true, .stop_at = 3});
      check_same(half, run(config, {.stop_at = 3}));
      check_same(run(config, {.ranks = 8 / ranks, .shard = true, .from = &half}), one);
      check_same(run(config, {.from = &half}), one);
    }
  }
  check_same(run(full_config(24), {.model = "cct", .ranks = 3, .shard = true}), run(full_config(24), {.model = "cct"}));
}

TEST_CASE("parts follow the parameters that are trained: the head alone first, then all") {
  TrainConfig config = full_config(8);
  config.head_epochs = 1;
  const RunState one = run(config, {});
  for (const bool shard : {false, true}) check_same(run(config, {.ranks = 4, .shard = shard}), one);
}

TEST_CASE("compressed gradients give nearly the same run, and the same on all ranks") {
  const TrainConfig config = full_config(8);
  const RunState one = run(config, {});
  const RunState other = run(config, {.ranks = 4, .compress = true});
  CHECK_FALSE(differences(other, one).empty());
  for (size_t i = 0; i < one.weights.size(); ++i)
    CHECK(max(vitrail::abs(sub(other.weights[i].second, one.weights[i].second))).item() < 0.02);
  check_same(run(config, {.ranks = 4, .shard = true, .compress = true}), other);
  check_same(run(config, {.ranks = 4, .compress = true, .bucket_bytes = 1 << 30}), other);
}

TEST_CASE("the size of a bucket is measured, the same on all ranks, and at most a quarter of the gradients") {
  for (const int64_t mebibytes : {1, 20, 80}) {
    std::vector<int64_t> sizes(3);
    run_ranks(
        3, [&](Communicator& comm) { sizes[static_cast<size_t>(comm.rank())] = measured_bucket_bytes(comm, mebibytes << 20); });
    CHECK(sizes == std::vector<int64_t>(3, sizes[0]));
    CHECK(sizes[0] >= 1 << 20);
    CHECK(sizes[0] <= std::max<int64_t>(1, mebibytes / 4) << 20);
  }
}

TEST_CASE("ranks that do not fit the groups are refused with the numbers that do") {
  CHECK(default_groups(128) == 16);
  CHECK(default_groups(7) == 1);
  CHECK(default_groups(100) == 8);
  for (const int ranks : {1, 2, 4, 8}) CHECK_NOTHROW(check_ranks(8, ranks, 64));
  for (const int ranks : {1, 3, 6, 12, 24}) CHECK_NOTHROW(check_ranks(24, ranks, 96));
  for (const auto& [groups, ranks] : {std::pair(8, 3), {24, 2}, {24, 4}, {4, 8}, {1, 2}})
    CHECK_THROWS_AS(check_ranks(groups, ranks, 96), Error);
  try {
    check_ranks(16, 3, 128);
  } catch (const Error& e) {
    CHECK_MESSAGE(std::string(e.what()).find("3 ranks, 16 groups") != std::string::npos, e.what());
    CHECK_MESSAGE(std::string(e.what()).find("--groups 3, 6, 12") != std::string::npos, e.what());
  }
}

namespace {

// A classifier that gives NaN for pictures with a bright first pixel: the logarithm of a negative number.
class LogNet : public models::Classifier {
 public:
  explicit LogNet(Rng rng) : last(16, 2, rng) { register_module("last", last); }
  Variable forward(const Variable& images) override {
    const Variable pixels = flatten(images, 1);
    return last(pixels) + vitrail::log(1.0 - slice(pixels, 1, 0, 1));
  }
  int64_t in_chans() const override { return 1; }
  int64_t img_height() const override { return 4; }
  int64_t img_width() const override { return 4; }
  int64_t num_classes() const override { return 2; }
  std::string config_json() const override { return "{}"; }
  nn::Linear last;
};

}  // namespace

TEST_CASE("a NaN on one rank stops all before the update; that rank tells it, and rank 0 writes it down") {
  TrainConfig config = quick(1, 24);
  config.groups = 4;
  Tensor images = zeros({24, 1, 4, 4}, Dtype::u8);
  images.mutable_data<uint8_t>()[11 * 16] = 255;
  const DatasetInfo info{"dots", 1, 4, 4, {"a", "b"}, {0.5}, {0.25}};
  const auto data = std::make_shared<MemoryDataset>(info, images, zeros({24}, Dtype::i64));
  std::vector<NotFinite> written;
  std::string told;
  std::mutex mutex;
  bool moved = false;
  try {
    run_ranks(4, [&](Communicator& comm) {
      LogNet model(Rng(1)), before(Rng(1));
      ClassificationTask task(model, classification_options(config, preprocessing_for(model, info), info.class_names));
      TrainCallbacks callbacks;
      callbacks.quiet = true;
      callbacks.ranks = {&comm};
      if (comm.rank() == 0) callbacks.on_not_finite = [&](const NotFinite& found) { written.push_back(found); };
      try {
        Trainer(task, data, nullptr, config, callbacks).run();
      } catch (const Error& e) {
        const std::lock_guard<std::mutex> lock(mutex);
        told += cat(comm.name(comm.rank()), ": ", e.what(), "\n");
        const nn::StateDict now = model.state_dict(), then = before.state_dict();
        for (size_t i = 0; i < now.size(); ++i) moved |= !bit_equal(now[i].second, then[i].second);
        throw;
      }
    });
    FAIL("it was not stopped");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::kNumeric);
  }
  CHECK_MESSAGE(told.find("loss is not finite at step 0") != std::string::npos, told);
  CHECK_MESSAGE(std::count(told.begin(), told.end(), '\n') == 1, told);
  REQUIRE(written.size() == 1);
  CHECK_MESSAGE(written[0].where.find("log") != std::string::npos, written[0].where);
  CHECK(std::find(written[0].images.begin(), written[0].images.end(), 11) != written[0].images.end());
  CHECK(written[0].images.size() == 6);
  CHECK_FALSE(moved);
}
