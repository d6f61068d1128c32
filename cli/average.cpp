// vitrail average: one model from several runs, the mean of their weights.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/json_writer.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/data_options.h"
#include "cli/model_options.h"
#include "cli/validation_data.h"
#include "models/weights/adapter.h"
#include "nn/norm.h"
#include "tensor/machine/parallel.h"
#include "train/average.h"
#include "train/evaluate.h"
#include "train/run_folder.h"
#include "train/task/task.h"

namespace vitrail::cli {

namespace {

struct Options {
  std::vector<std::string> models;
  std::string data, out;
  DataFlags files;
  int64_t limit = 0, threads = 0;
  bool greedy = false, force = false, json = false;
};

// All models held against the first one, so that a user learns of every difference at once.
std::vector<Ingredient> examined(const Options& o, const SavedModel& first) {
  std::vector<Ingredient> models;
  std::string refused;
  for (size_t i = 0; i < o.models.size(); ++i) {
    const SavedModel model = i == 0 ? first : read_saved_model(o.models[i]);
    for (const std::string& difference : average_obstacles(first, model))
      refused += cat(refused.empty() ? "" : "; ", escaped_path(o.models[i]), ": ", difference);
    models.push_back({o.models[i], weights_hash(model.weights, [](const std::string&) { return false; })});
  }
  check(refused.empty(), ErrorKind::kValue, "average", "only models alike can be averaged; they differ from ",
        escaped_path(o.models[0]), ": ", refused, ".");
  for (size_t i = 0; i < models.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      check(models[i].hash != models[j].hash, ErrorKind::kValue, "average", escaped_path(models[i].path), " and ",
            escaped_path(models[j].path), " have the same weights. Hint: each model once.");
  return models;
}

std::string training_json(const Options& o, std::vector<Ingredient> models, const AverageResult& result) {
  std::sort(models.begin(), models.end(), [](const auto& a, const auto& b) { return a.hash < b.hash; });
  JsonWriter json;
  json.begin_object().field("average", o.greedy ? "greedy" : "uniform").key("of").begin_array();
  for (const Ingredient& model : models)
    if (model.kept || !o.greedy) json.value(model.hash);
  json.end_array().key("test").begin_object();
  for (const Score& entry : result.scores) json.field(entry.name, entry.value);
  return json.end_object().end_object().text();
}

std::string row(const std::string& name, const Scores& scores) {
  return cat(name, std::string(name.size() < 44 ? 44 - name.size() : 1, ' '), format_scores(scores, 4), "\n");
}

void print_text(const Options& o, const std::vector<Ingredient>& models, const AverageResult& result) {
  std::string text;
  int64_t kept = 0;
  for (const Ingredient& model : models)
    text += row(cat(escaped_path(model.path), model.kept ? " (kept)" : ""), model.scores), kept += model.kept;
  text += row(cat("uniform: the mean of all ", models.size()), result.uniform);
  if (result.greedy) text += row(cat("greedy: the mean of the ", kept, " kept"), *result.greedy);
  std::fputs(text.c_str(), stdout);
  std::printf("saved in %s\n", escaped_path(o.out).c_str());
}

void print_json(const std::vector<Ingredient>& models, const AverageResult& result) {
  JsonWriter json(2);
  const auto scores = [&](const char* key, const Scores& of) {
    json.key(key).begin_object();
    for (const Score& entry : of) json.field(entry.name, entry.value);
    json.end_object();
  };
  json.begin_object().key("models").begin_array();
  for (const Ingredient& model : models) {
    json.begin_object().field("path", model.path).field("hash", model.hash).field("kept", model.kept);
    scores("scores", model.scores);
    json.end_object();
  }
  json.end_array();
  scores("uniform", result.uniform);
  if (result.greedy) scores("greedy", *result.greedy);
  std::printf("%s\n", json.end_object().text().c_str());
}

// The weights of one start lie in one basin; those of two starts have a hill between them.
void warn_if_worse(const std::vector<Ingredient>& models, const Scores& saved) {
  const bool better = std::any_of(models.begin(), models.end(), [&](const Ingredient& model) {
    const Score &own = model.scores.front(), &mean = saved.front();
    return own.larger_is_better ? own.value > mean.value : own.value < mean.value;
  });
  if (better)
    complain(
        "note: one of the models alone is better than this average. Averages help models that were trained from the same "
        "weights (finetune, train --init). Hint: --greedy never ends below the best of them.");
}

int run(const Options& o) {
  check(o.models.size() >= 2, ErrorKind::kValue, "average", "it takes two models or more: there is ", o.models.size(), ".");
  if (o.threads != 0) set_num_threads(static_cast<int>(o.threads));
  RunFolder::check_free(o.out, o.force);
  if (!o.json) print_machine_notice();
  const SavedModel first = read_saved_model(o.models[0]);
  std::vector<Ingredient> models = examined(o, first);
  // The configuration of the model that stands first in the fixed order: they may differ in dropout.
  const auto leading =
      std::min_element(models.begin(), models.end(), [](const auto& a, const auto& b) { return a.hash < b.hash; });
  LoadedModel loaded = build_classifier(leading == models.begin() ? first : read_saved_model(leading->path));
  if (nn::has_batch_norm(*loaded.model))
    complain(
        "note: the running statistics of batch norm are averaged too; those of the averaged weights differ a little. Hint: an "
        "epoch of train --init at a rate near 0 measures them anew.");
  const std::unique_ptr<Task> task = load_task(leading->path);  // the model answers as it was trained to
  const DatasetPtr data = validation_data(o.data, o.files, o.limit, loaded.card);
  // A file of another program may hold tensors that the model does not need.
  const nn::LoadOptions loading{.allow_unexpected = loaded.origin != nullptr};
  const auto judge = [&](const nn::StateDict& weights) {
    task->model().load_state_dict(weights, loading);
    return evaluate(*task, data).scores;
  };
  const auto read = [&](size_t i) {
    nn::StateDict weights = read_saved_model(models[i].path).weights;
    std::sort(weights.begin(), weights.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    return weights;
  };
  const AverageResult result = average_models(models, o.greedy, read, judge);
  loaded.model->load_state_dict(result.weights, loading);
  loaded.card.training = training_json(o, models, result);
  loaded.card.calibration.reset();  // of one of them
  const RunFolder folder(o.out, o.force);
  save_model(o.out, *loaded.model, loaded.card);
  warn_if_worse(models, result.scores);
  o.json ? print_json(models, result) : print_text(o, models, result);
  return 0;
}

}  // namespace

void add_average(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "average", "Average the weights of several runs into one model");
  command.option("models", o->models, kModelHelp);
  command.option("--data", o->data, kDataHelp).required();
  command.option("--out", o->out, "Folder for the averaged model").required();
  command.flag("--greedy", o->greedy,
               "Leave out models with which the average does worse on the validation part, else the test part");
  add_data_flags(command, o->files);
  command.option("--limit", o->limit, "Only N images: the first, of folders and lists evenly spread", 0, kMaxImages);
  command.option("--threads", o->threads, "Processors to use (all)", 0, kMaxThreads);
  command.flag("--force", o->force, "Replace the model that the folder holds");
  command.flag("--json", o->json, "Machine-readable output");
  command.footer(
      "Runs of one start: the same --init or --from, with other seeds, rates, augmentation. Their order does not matter.\n"
      "Example: vitrail average runs/a runs/b runs/c --greedy --data photos --out runs/average");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
