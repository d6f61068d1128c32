#include "train/part_run.h"

#include <algorithm>
#include <chrono>

#include "base/json.h"
#include "base/json_writer.h"
#include "models/weights/save.h"
#include "tensor/rng.h"
#include "train/checkpoint.h"
#include "train/interrupt.h"
#include "train/memory.h"
#include "train/recipes.h"
#include "train/run_folder.h"
#include "train/task/for_data.h"
#include "train/trainer.h"

namespace vitrail {

namespace {

// The same card as a run of `vitrail train` gives its model.
ModelCard card_for(const Task& task, const PartRun& part, int64_t steps, const Scores& scores) {
  JsonWriter training;
  training.begin_object().field("data", part.train->name()).field("images", part.train->size()).field("steps", steps);
  training.key("test").begin_object();
  for (const Score& entry : scores) training.field(entry.name, entry.value);
  training.end_object();
  training.key("recipe").raw(recipe_json(part.config)).end_object();
  ModelCard card = task.card();
  card.training = training.text();
  return card;
}

class Part {
 public:
  explicit Part(const PartRun& part)
      : part_(part),
        folder_(part.folder, /*replace=*/true),
        model_(models::make_model(with_drop_path(part.model, part.config.drop_path), Rng(part.config.seed))),
        own_task_(make_task_for(part.train->info(), *model_, preprocessing_for(*model_, part.train->info()), part.config)),
        task_(*own_task_),
        data_(data_identity(*part.train, part.test.get())),
        steps_(total_steps(part.config, part.train->size(), *model_)),
        target_(target()) {
    check_memory(task_, part.train, part.config, part.memory_limit);
  }

  PartResult run() {
    const auto start = std::chrono::steady_clock::now();
    Trainer trainer(task_, part_.train, part_.test, part_.config, callbacks());
    restore(trainer);
    while (!reached_ && result_.complete() && trainer.step()) {
      if (reached_) break;
      result_.signal = interrupt_signal();
      result_.stopped = part_.stop && part_.stop();
    }
    if (!reached_) interrupt_heard();
    const RunState state = trainer.view();
    if (state.step == steps_ && reached_)
      remove_checkpoints(part_.folder);  // nothing is left to go on with
    else if (state.step != saved_step_)
      save(state);
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result_;
  }

 private:
  TrainCallbacks callbacks() {
    TrainCallbacks callbacks;
    callbacks.quiet = part_.quiet;
    callbacks.log_path = folder_.file("metrics.jsonl");
    callbacks.on_epoch = [this](const EpochReport& report) { finish_epoch(report); };
    callbacks.on_checkpoint = [this](const RunState& state) { save(state); };
    return callbacks;
  }

  void finish_epoch(const EpochReport& report) {
    if (!report.test) return;
    result_.scores = report.test->scores;
    result_.epochs = report.epoch;
    reached_ = report.step == target_;
    if (reached_)
      save_model(part_.folder, task_.model(), task_.architecture(), card_for(task_, part_, report.step, *result_.scores));
  }

  void save(const RunState& state) {
    save_checkpoint(part_.folder, {state, task_.architecture(), task_.card(), data_, "{}"});
    saved_step_ = state.step;
  }

  // The updates until the run is to stop.
  int64_t target() const {
    TrainConfig config = part_.config;
    if (part_.epochs > 0) config.epochs = std::min(config.epochs, part_.epochs);
    return total_steps(config, part_.train->size(), *model_);
  }

  // A checkpoint of other data, another model or another recipe is left by an experiment that is not this one: the run starts
  // anew.
  void restore(Trainer& trainer) {
    if (!has_checkpoint(part_.folder)) return;
    try {
      FoundCheckpoint found = find_checkpoint(part_.folder);
      RunState& state = found.checkpoint.state;
      const auto same = [](const std::string& a, const std::string& b) { return tidy_json(a, "a") == tidy_json(b, "b"); };
      if (!same(found.checkpoint.data, data_) || !same(found.checkpoint.architecture, task_.architecture())) return;
      if (state.step > target_) return;
      // It had come to its end, but its score was not written down: the test is done again.
      if (state.step == target_) state.test_due = true;
      trainer.restore(state);
      saved_step_ = state.step;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kData && error.kind() != ErrorKind::kValue) throw;
    }
  }

  const PartRun& part_;
  RunFolder folder_;
  std::unique_ptr<models::Classifier> model_;
  std::unique_ptr<Task> own_task_;
  Task& task_;
  std::string data_;
  int64_t steps_, target_, saved_step_ = -1;
  bool reached_ = false;
  PartResult result_;
};

}  // namespace

PartResult run_part(const PartRun& part) {
  PartRun whole = part;
  whole.config.patience = 0;  // experiments compare runs of equal length
  return Part(whole).run();
}

}  // namespace vitrail
