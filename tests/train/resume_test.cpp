// A run that is stopped after any update and resumed from its checkpoint ends with the file of the undisturbed run, to the
// byte.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <locale>
#include <optional>

#include "base/file.h"
#include "tensor/machine/parallel.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/scratch_folder.h"
#include "train/checkpoint.h"
#include "train/interrupt.h"
#include "train/task/classification.h"
#include "train/trainer.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// Thousands of files are brought to the disk here; what a disk does is tried elsewhere (tests/fault).
constexpr const char* kMemory = "/dev/shm";
constexpr int64_t kSteps = 60;  // ten epochs of five batches of ten and one of five images

// Everything that has a state: batches in groups, dropout, augmentation, moments, averages, epochs, tests (each second epoch).
TrainConfig full_config() {
  TrainConfig config = quick(10, 10);
  config.groups = 3;
  config.crop_padding = 2;
  config.ema_decay = 0.95;
  config.eval_every = 2;
  config.save_every = 0;
  return config;
}

// One process's part of the run, with its own model. It saves into `folder` when the trainer asks for it.
class Part {
 public:
  Part(const std::string& folder, const TrainConfig& config, int64_t stop_after = 0, int which = SIGTERM, uint64_t initial = 0)
      : model_(tiny_vit(data_->info(), initial, 0.2)),
        task_(*model_, classification_options(config, preprocessing_for(*model_, data_->info()), data_->class_names())) {
    TrainCallbacks callbacks;
    callbacks.quiet = true;
    callbacks.on_step = [=](int64_t step, double) {
      if (step == stop_after) kill(getpid(), which);
    };
    callbacks.on_checkpoint = [this, folder](const RunState& state) {
      save_checkpoint(folder, {state, task_.architecture(), task_.card(), data_identity(*data_, nullptr), "{}"});
    };
    trainer_.emplace(task_, data_, glyphs(10, Split::kTest), config, callbacks);
  }
  void resume_from(const std::string& folder) { trainer_->restore(find_checkpoint(folder).checkpoint.state); }
  TrainResult run() { return trainer_->run(); }
  RunState state() { return trainer_->state(); }

 private:
  DatasetPtr data_ = glyphs(55);
  std::unique_ptr<models::Classifier> model_;
  ClassificationTask task_;
  std::optional<Trainer> trainer_;
};

std::vector<uint8_t> newest(const ScratchFolder& folder) { return read_file(folder.file(kCheckpointFile)); }

std::vector<uint8_t> undisturbed() {
  const ScratchFolder folder(kMemory);
  Part part(folder.path(), full_config());
  CHECK(part.run().steps == kSteps);
  return newest(folder);
}

// Another model to begin with, so that nothing is right by chance.
std::vector<uint8_t> stopped_and_resumed(int64_t k, int which, int threads_before = 2, int threads_after = 2) {
  const ScratchFolder folder(kMemory);
  {
    set_num_threads(threads_before);
    const InterruptScope scope;
    Part part(folder.path(), full_config(), k, which);
    CHECK(part.run().signal == which);
  }
  set_num_threads(threads_after);
  CHECK(find_checkpoint(folder.path()).checkpoint.state.step == k);
  Part part(folder.path(), full_config(), 0, 0, /*initial=*/9);
  part.resume_from(folder.path());
  CHECK(part.run().steps == kSteps);
  return newest(folder);
}

struct KeepThreads {
  ~KeepThreads() { set_num_threads(before); }
  int before = num_threads();
};

// Digits in groups of one, a comma for the point.
struct OddNumbers : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\1"; }
};

}  // namespace

TEST_CASE("stopped after any of 59 updates and resumed, a run of 60 ends with the bytes of the undisturbed one") {
  const KeepThreads keep;
  set_num_threads(2);
  const std::vector<uint8_t> expected = undisturbed();
  for (int64_t k = 1; k < kSteps; ++k) {
    CAPTURE(k);
    CHECK(stopped_and_resumed(k, k % 3 == 0 ? SIGTERM : k % 3 == 1 ? SIGINT : SIGHUP) == expected);
  }
}

TEST_CASE("the same for other numbers of threads, before the stop and after it") {
  const KeepThreads keep;
  set_num_threads(2);
  const std::vector<uint8_t> expected = undisturbed();
  for (const int before : {1, 2, 4}) {
    for (const int after : {1, 2, 4}) {
      CAPTURE(before);
      CAPTURE(after);
      CHECK(stopped_and_resumed(6 + 3 * before + after, SIGTERM, before, after) == expected);
    }
  }
}

TEST_CASE("the same in a program whose locale writes numbers in another way") {
  const KeepThreads keep;
  const std::vector<uint8_t> expected = undisturbed();
  const std::locale before = std::locale::global(std::locale(std::locale(), new OddNumbers));
  const std::vector<uint8_t> stopped = stopped_and_resumed(31, SIGTERM);
  std::locale::global(before);
  CHECK(stopped == expected);
}

TEST_CASE("a run that is stopped at every step ends with the same bytes too") {
  const KeepThreads keep;
  const std::vector<uint8_t> expected = undisturbed();
  const ScratchFolder folder(kMemory);
  for (int64_t k = 1; k <= kSteps; ++k) {
    const InterruptScope scope;
    Part part(folder.path(), full_config(), k, SIGTERM, static_cast<uint64_t>(k - 1));
    if (k > 1) part.resume_from(folder.path());
    CHECK(part.run().signal == SIGTERM);
  }
  // Stopped after the last update the run has its last test before it.
  CHECK(find_checkpoint(folder.path()).checkpoint.state.test_due);
  Part part(folder.path(), full_config(), 0, 0, 77);
  part.resume_from(folder.path());
  const TrainResult result = part.run();
  CHECK(result.steps == kSteps);
  REQUIRE(result.history.size() == 1);
  CHECK(result.history.back().test.has_value());
  CHECK(newest(folder) == expected);
}

TEST_CASE("checkpoints come after epochs, after updates, when SIGUSR1 asks for one, and at the end") {
  const auto saved_at = [](TrainConfig config, int64_t ask_after = 0) {
    const DatasetPtr data = glyphs(20);
    const auto model = tiny_vit(data->info());
    std::vector<int64_t> steps;
    TrainCallbacks callbacks;
    callbacks.quiet = true;
    callbacks.on_step = [=](int64_t step, double) {
      if (step == ask_after) kill(getpid(), SIGUSR1);
    };
    callbacks.on_checkpoint = [&](const RunState& state) { steps.push_back(state.step); };
    const InterruptScope scope;
    train_model(*model, data, nullptr, preprocessing_for(*model, data->info()), config, callbacks);
    return steps;
  };
  TrainConfig config = quick(3, 5);  // four updates an epoch
  CHECK(saved_at(config) == std::vector<int64_t>{4, 8, 12});
  config.save_every = 2;
  CHECK(saved_at(config) == std::vector<int64_t>{8, 12});
  config.save_every = 0;
  CHECK(saved_at(config) == std::vector<int64_t>{12});
  CHECK(saved_at(config, 7) == std::vector<int64_t>{7, 12});
  CHECK(saved_at(config, 8) == std::vector<int64_t>{8, 12});
  config.save_steps = 5;
  CHECK(saved_at(config) == std::vector<int64_t>{5, 10, 12});
}

TEST_CASE("recomputing the blocks in the backward pass changes no bit, so a run may be resumed with or without it") {
  const ScratchFolder folder(kMemory);
  TrainConfig config = full_config();
  config.epochs = 2;
  for (const char* precision : {"f32", "bf16"}) {
    config.precision = precision;
    config.grad_checkpointing = false;
    Part plain(folder.path(), config);
    plain.run();
    config.grad_checkpointing = true;
    Part recomputed(folder.path(), config);
    recomputed.run();
    CHECK(differences(plain.state(), recomputed.state()).empty());
  }
}
