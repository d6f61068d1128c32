#include "train/task/task.h"

#include "base/file.h"
#include "data/loader.h"
#include "models/weights/foreign.h"
#include "tensor/ops.h"
#include "train/task/classification.h"
#include "train/task/multi_label.h"
#include "train/task/test_time.h"

namespace vitrail {

namespace {

using MakeTask = std::unique_ptr<Task> (*)(SavedModel saved);

// The one place that knows the tasks by name.
struct TaskEntry {
  const char* name;
  MakeTask make;
};
constexpr TaskEntry kTasks[] = {{kClassification, make_classification}, {kMultiLabel, make_multi_label}};

}  // namespace

std::vector<std::string> Task::notes(const Dataset&) const { return {}; }

Batch Task::collate(std::vector<Example> examples) const { return collate_examples(std::move(examples)); }

Prediction Task::mean_of_views(const std::vector<Prediction>& views) const { return mean_prediction(views); }

std::string Task::summary(const Scores& scores) const { return format_scores(scores, 4); }

Prediction predict_one(Task& task, const Tensor& picture) {
  std::vector<Example> one;
  one.push_back(task.prepare({picture, {}}, nullptr));
  return std::move(predict_examples(task, std::move(one)).at(0));
}

Loader make_loader(const Task& task, DatasetPtr data, const LoaderOptions& options) {
  return Loader(
      std::move(data), [&task](const Sample& sample, const Rng* rng) { return task.prepare(sample, rng); },
      [&task](std::vector<Example> examples) { return task.collate(std::move(examples)); }, options);
}

namespace {

// A backbone that was never fine-tuned would answer with the same class for every picture.
void check_head(const SavedModel& saved) {
  if (!saved.origin) return;
  for (const auto& [name, tensor] : saved.weights) {
    if (name != "head.weight") continue;
    check(max(abs(tensor)).item() > 0, ErrorKind::kData, "load_task", escaped_path(saved.file),
          ": the head is all zero: the model was never fine-tuned. Hint: vitrail finetune or probe gives it a head; features "
          "works.");
    return;
  }
  std::string why;
  for (const weights::Fact& fact : saved.origin->facts)
    if (fact.name == weights::kHeadFact) why = cat(" (", fact.value, ": ", fact.source, ")");
  fail(ErrorKind::kData, "load_task", escaped_path(saved.file), ": the model has no head that could name a class", why,
       ". Hint: vitrail finetune or probe gives it one; features works.");
}

}  // namespace

std::unique_ptr<Task> load_task(const std::string& path, ModelCard* card, const OpenOptions& options,
                                std::shared_ptr<Origin>* origin) {
  return make_task(read_saved_model(path, options), card, origin);
}

std::unique_ptr<Task> make_task(SavedModel saved, ModelCard* card, std::shared_ptr<Origin>* origin) {
  check_head(saved);
  if (origin) *origin = saved.origin;
  if (card) *card = saved.card;
  std::string names;
  for (const TaskEntry& entry : kTasks) {
    if (saved.card.task == entry.name) return entry.make(std::move(saved));
    names += cat(names.empty() ? "" : ", ", entry.name);
  }
  fail(ErrorKind::kData, "load_task", escaped(saved.file, 200), ": the task is unknown: it is ", escaped(saved.card.task, 60),
       "; this program knows ", names, ".");
}

}  // namespace vitrail
