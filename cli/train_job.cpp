#include "cli/train_job.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <optional>

#include "base/file.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "cli/data_options.h"
#include "cli/memory_limit.h"
#include "cli/shell_word.h"
#include "comm/world.h"
#include "data/cached.h"
#include "models/weights/adapter.h"
#include "models/weights/save.h"
#include "tensor/machine/parallel.h"
#include "tensor/machine/probe.h"
#include "train/feature_cache.h"
#include "train/interrupt.h"
#include "train/memory.h"
#include "train/metrics_log.h"
#include "train/optim/layer_decay.h"
#include "train/preflight.h"
#include "train/progress.h"
#include "train/report/run_data.h"
#include "train/report/run_report.h"
#include "train/run_folder.h"
#include "train/start_from.h"
#include "train/task/classification.h"

namespace vitrail::cli {

namespace {

constexpr const char* kNotFiniteFile = "not-finite.json";

models::DataShape shape_of(const DatasetInfo& info) {
  return {info.channels, info.height, info.width, static_cast<int64_t>(info.class_names.size())};
}

// What a saved file calls a model that it has to do with: its folder's name, since paths describe the machine.
std::string base_name(const std::string& model) {
  std::filesystem::path path(model);
  if (path.filename() == kModelFile || path.filename().empty()) path = path.parent_path();
  return path.filename().string();
}

// The task's card and what the model was trained with. Nothing of the machine: the same file for any number of threads.
ModelCard card_for(const TrainJob& job, const Task& task, const EpochReport& report) {
  JsonWriter training;
  training.begin_object().field("data", job.train->name()).field("images", job.train->size()).field("steps", report.step);
  if (report.test) {
    training.key("test").begin_object();
    for (const Score& entry : report.test->scores) training.field(entry.name, entry.value);
    training.end_object();
  }
  if (job.teacher) training.field("teacher", base_name(job.settings.teacher)).field("teacher_hash", job.teacher->hash);
  training.key("recipe").raw(recipe_json(job.config)).end_object();
  ModelCard card = task.card();
  card.training = training.text();
  return card;
}

// What describes this run and this machine, beside the model.
std::string run_json(const TrainJob& job, models::Classifier& model) {
  char host[256] = "", started[32] = "";
  gethostname(host, sizeof host - 1);
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  if (gmtime_r(&now, &utc)) std::strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &utc);
  JsonWriter json(2);
  json.begin_object().field("started", started).field("host", host).field("process", static_cast<int64_t>(getpid()));
  json.field("processor", processor_name())
      .field("threads", static_cast<int64_t>(num_threads()))
      .field("data", job.settings.data);
  json.field("train_images", job.train->size())
      .field("test_images", job.test->size())
      .field("tested_on", result_name(job.test->info()))
      .field("classes", job.train->num_classes());
  json.field("model", job.settings.model_name).field("parameters", model.num_parameters());
  if (job.teacher) json.field("teacher", job.settings.teacher).field("teacher_hash", job.teacher->hash);
  if (job.from) json.field("resumed_at_step", job.from->checkpoint.state.step);
  return json.key("config").raw(to_json(job.config)).end_object().text();
}

// The page's last word is how the run ended, an error included.
TrainResult run_with_page(Trainer& trainer, std::optional<report::RunReport>& page) {
  if (!page) return trainer.run();
  try {
    TrainResult result = trainer.run();
    page->finish(result.signal ? cat("stopped by signal ", result.signal) : "finished");
    return result;
  } catch (const Error& error) {
    const std::string reason = error.what();
    try {
      page->finish("ended by an error: " + reason);
    } catch (const Error&) {
      // The first error is what the user must hear.
    }
    throw;
  }
}

// Photographs have more pixels than the default preset is made for: each convolution more in its stem halves the sides, so that
// 8 to 16 tokens a side are left.
void deepen_stem(models::ModelConfig& config) {
  auto* cct = std::get_if<models::CctConfig>(&config);
  if (!cct) return;
  for (int64_t side = std::max(cct->img_size.h, cct->img_size.w) >> cct->conv_layers; side > 16; side /= 2) ++cct->conv_layers;
}

// Memory that the run does not need: of --cache, else half of what is left, at most 4 GiB.
int64_t spare_memory(const TrainJob& job, const MemoryEstimate& run) {
  constexpr int64_t kMebibyte = int64_t{1} << 20, kMost = 4096 * kMebibyte, kWithoutLimit = 1024 * kMebibyte;
  if (job.cache_mb >= 0) return job.cache_mb * kMebibyte;
  const int64_t limit = memory_limit();
  return limit > 0 ? std::clamp<int64_t>((limit - run.total()) / 2, 0, kMost) : kWithoutLimit;
}

// Divides it: half for the features of frozen parts, where they can be kept, the rest for decoded pictures. Returns what the
// features get.
int64_t add_cache(TrainJob& job, Task& task, const MemoryEstimate& run) {
  const int64_t spare = spare_memory(job, run);
  const std::string obstacle = features_not_kept(job, task);
  if (job.verbose && !obstacle.empty()) complain(cat("note: every epoch computes the whole model: ", obstacle, "."));
  const int64_t for_features = obstacle.empty() ? spare / 2 : 0, bytes = spare - for_features;
  const double part = static_cast<double>(job.train->size()) / static_cast<double>(job.train->size() + job.test->size());
  const auto of_train = static_cast<int64_t>(part * static_cast<double>(bytes));
  job.train = cached(job.train, of_train);
  job.test = cached(job.test, bytes - of_train);
  return for_features;
}

}  // namespace

std::string features_not_kept(const TrainJob& job, Task& task) {
  if (world().size() > 1) return "several ranks";
  return job.feature_cache ? feature_cache_obstacle(task, job.config, job.train->size()) : "--no-feature-cache";
}

std::string default_preset(const DatasetInfo& info) { return info.channels == 1 ? "cct_2_3x2_d64" : "cct_2_3x2"; }

models::ModelConfig model_config(const std::string& model, const DatasetInfo& info) {
  models::DataShape shape = shape_of(info);
  const std::string name = model.empty() ? default_preset(info) : model;
  const bool text = name.starts_with("{"), file = !text && (name.find('/') != std::string::npos || name.ends_with(".json"));
  if (text || file) shape.img_height = shape.img_width = 0;
  if (text) shape.in_chans = 0;  // the text of a run: a trained model that it starts from may have channels of its own
  const models::ModelConfig given = text   ? models::config_from_json(name)
                                    : file ? models::config_from_json(read_text_file(name), name)
                                           : models::find_preset(name).config;
  models::ModelConfig config = models::adapted(given, shape);
  if (model.empty()) deepen_stem(config);
  models::validate(config);
  return config;
}

std::unique_ptr<models::Classifier> build_model(const TrainJob& job) {
  Rng rng(job.config.seed);
  auto model = models::make_model(model_config(job.settings.model, job.train->info()), rng);
  if (!job.init) return model;
  const std::string note = start_from(*model, *job.init, job.train->class_names(), task_for(job.train->info()));
  if (!job.quiet && !job.adapted) complain("note: " + note);
  return model;
}

int64_t clean_images(const TrainJob& job) { return std::clamp<int64_t>(job.train->size() / 20, 100, 1000); }

void print_preflight(const TrainJob& job) {
  if (job.quiet) return;
  const models::ModelConfig model = model_config(job.settings.model, job.train->info());
  for (const std::string& note : preflight(job.config, model, job.train->size(), !job.settings.init.empty()))
    std::fprintf(stderr, "warning: %s\n", note.c_str());
}

std::unique_ptr<Task> make_task(const TrainJob& job, models::Classifier& model) {
  Preprocessing preprocessing;
  if (job.from)
    preprocessing = job.from->checkpoint.card.preprocessing;
  else
    preprocessing = job.init ? job.init->card.preprocessing : preprocessing_for(model, job.train->info());
  check(!job.from || job.from->checkpoint.card.class_names == job.train->class_names(), ErrorKind::kData, "train",
        "the classes of the data are not those of the run: ", listed(job.train->class_names()), "; the run has ",
        job.from ? listed(job.from->checkpoint.card.class_names) : "", ".");
  if (!job.teacher) return make_task_for(job.train->info(), model, preprocessing, job.config);
  require_one_label(*job.train, "train");  // a teacher's softmax says which class, not which classes
  ClassificationOptions options = classification_options(job.config, preprocessing, job.train->class_names());
  options.teacher = teacher_for(*job.teacher, preprocessing, job.train->class_names());
  return std::make_unique<ClassificationTask>(model, std::move(options));
}

namespace {

// What the run writes into its folder as it goes.
TrainCallbacks callbacks_for(const TrainJob& job, Task& task, models::Classifier& model, const RunFolder& folder,
                             report::RunReport& page) {
  TrainCallbacks callbacks;
  callbacks.log_path = folder.file("metrics.jsonl");
  callbacks.on_update = [&page](const StepReport& update) { page.add(update); };
  callbacks.on_epoch = [&job, &task, &model, &page](const EpochReport& report) {
    const ModelCard card = card_for(job, task, report);
    if (report.best) save_model(job.out, task.model(), task.architecture(), card, kBestFile);
    save_model(job.out, task.model(), task.architecture(), card);
    if (nn::lora_of(task.model()))
      save_adapter(job.out + "/" + kAdapterFile, make_adapter(model, card, is_head, base_name(job.settings.init)));
    page.add(report);
  };
  callbacks.on_checkpoint = [&job, &task, data = data_identity(*job.train, job.test.get())](const RunState& state) {
    save_checkpoint(job.out, {state, task.architecture(), task.card(), data, to_json(job.settings)});
  };
  callbacks.on_not_finite = [&folder](const NotFinite& found) {
    write_file_atomically(folder.file(kNotFiniteFile), to_json(found) + "\n");
  };
  return callbacks;
}

// Whether a resumed run has nothing left to do; says so.
bool finished(const TrainJob& job, models::Classifier& model) {
  if (!job.from) return false;
  const RunState& state = job.from->checkpoint.state;
  const bool over = state.early.stopped || state.step >= total_steps(job.config, job.train->size(), model);
  if (state.test_due || !over) return false;
  if (job.silent) return true;
  std::printf("the run in %s is finished: %lld updates\n", escaped_path(job.out).c_str(), static_cast<long long>(state.step));
  return true;
}

void print_start(const TrainJob& job, models::Classifier& model, const Task& task) {
  if (job.quiet) return;
  std::fprintf(stderr, "%s: %lld parameters, %lld training and %lld %s images\n", escaped(job.settings.data, kMaxPath).c_str(),
               static_cast<long long>(model.num_parameters()), static_cast<long long>(job.train->size()),
               static_cast<long long>(job.test->size()), result_name(job.test->info()));
  if (!job.teacher) return;
  const std::string note = dynamic_cast<const ClassificationTask&>(task).options().teacher->note();
  complain(cat("note: learns from ", escaped_path(job.settings.teacher), note.empty() ? "" : ": ", note));
}

// What is left of the run that --force replaces: a later --resume must not find its checkpoints, and nothing of its results may
// stand beside the new recipe. Its model stays until the first epoch of the new run has one.
// A file that this run itself starts from or learns from stays too.
void remove_replaced(const TrainJob& job) {
  namespace fs = std::filesystem;
  const std::string& out = job.out;
  remove_checkpoints(out);
  std::error_code ignored;
  const auto is_used = [&](const std::string& path) {
    for (const std::string& used : {job.settings.init, job.settings.teacher})
      if (fs::equivalent(path, used, ignored) || fs::equivalent(out, used, ignored)) return true;
    return false;
  };
  for (const char* name : {kAdapterFile, kBestFile, report::kCurveFile, report::kPageFile, kNotFiniteFile})
    if (!is_used(out + "/" + name)) fs::remove(out + "/" + name, ignored);
  for (const char* open : {"/metrics.jsonl", "/metrics.csv"})
    if (fs::exists(out + open, ignored)) fs::resize_file(out + open, 0, ignored);
}

// The folder's model is the one of the last epoch. Where an earlier one did better, it is kept beside it.
void print_best(const TrainJob& job, const std::vector<EpochReport>& history) {
  const EpochReport* best = nullptr;
  for (const EpochReport& report : history)
    if (report.best) best = &report;
  if (!best || best == &history.back() || !best->test || best->test->scores.empty()) return;
  std::printf("the best %s result was after epoch %lld, %s: %s/%s\n", best->test->part.c_str(),
              static_cast<long long>(best->epoch), format_scores({best->test->scores.front()}, 4).c_str(),
              escaped_path(job.out).c_str(), kBestFile);
}

int report_stop(const TrainJob& job, int signal, int64_t updates) {
  Progress progress(job.quiet);
  progress.line(cat("stopped by signal ", signal, " after ", updates, " updates",
                    job.out.empty() ? "" : "; the model is saved in " + escaped_path(job.out)));
  if (!job.out.empty()) progress.line(cat("to go on: vitrail train --resume --out ", escaped(shell_word(job.out), 200)));
  return 128 + signal;
}

}  // namespace

int run_training(TrainJob job) {
  const auto model = build_model(job);
  const std::unique_ptr<Task> own_task = make_task(job, *model);
  Task& task = *own_task;
  if (finished(job, *model)) return 0;
  const int64_t set_apart = std::max<int64_t>(0, job.cache_mb) << 20;  // a cache that was asked for
  const int64_t limit = memory_limit() > 0 ? std::max<int64_t>(1, memory_limit() - set_apart) : 0;
  const int64_t for_features =
      add_cache(job, task, check_memory(task, job.train, job.config, limit, {world().size(), job.ranks.gradients.shard}));
  std::shared_ptr<RunFolder> folder = job.folder;
  std::optional<report::RunReport> page;
  TrainCallbacks callbacks;
  if (!job.out.empty()) {
    if (!folder) folder = std::make_shared<RunFolder>(job.out, job.replace);
    folder->describe(run_json(job, *model));
    const report::RunReportOptions options{job.out, cat(job.train->name(), ", ", job.settings.model_name),
                                           total_steps(job.config, job.train->size(), *model), job.from != nullptr};
    page.emplace(options, task, job.train, job.test, job.config);
    callbacks = callbacks_for(job, task, *model, *folder, *page);
  }
  callbacks.quiet = job.quiet;
  callbacks.clean_images = clean_images(job);
  callbacks.feature_cache_bytes = for_features;
  callbacks.ranks = job.ranks;
  print_start(job, *model, task);
  print_preflight(job);
  const bool baseline = !job.settings.baseline.empty() && !job.from;
  const double linear = baseline ? linear_baseline(job) : 0;
  const InterruptScope interrupts;
  Trainer trainer(task, job.train, job.test, job.config, callbacks);
  if (job.from) {
    trainer.restore(job.from->checkpoint.state);
    job.from->checkpoint.state = {};  // the memory of its tensors
  } else if (folder && job.replace) {
    remove_replaced(job);
  }
  if (folder) write_file_atomically(folder->file(kConfigFile), to_json(job.settings, job.config) + "\n");
  const TrainResult result = run_with_page(trainer, page);
  const int late = world().size() > 1 ? 0 : interrupt_signal();  // of several ranks all must have heard it
  if (const int signal = result.signal ? result.signal : late) return report_stop(job, signal, result.steps);
  if (const std::string note = gap_note(result.history.back()); !note.empty()) Progress(job.quiet).line("note: " + note);
  if (job.silent) return 0;
  if (baseline) std::printf("linear model: %s accuracy %.2f %%\n", result_name(job.test->info()), 100 * linear);
  const Evaluation& last = *result.history.back().test;
  std::printf("%s %s, %lld images, %s\n", last.part.c_str(), task.summary(last.scores).c_str(),
              static_cast<long long>(last.images), format_duration(result.seconds).c_str());
  if (!job.bad.empty()) std::printf("%s\n", left_out(job.bad).c_str());
  if (page) print_best(job, result.history);
  if (page && nn::lora_of(*model)) std::printf("%s holds what was added to the base, %s the whole\n", kAdapterFile, kModelFile);
  if (page) std::printf("saved in %s\nreport: %s\n", escaped_path(job.out).c_str(), escaped_path(page->path()).c_str());
  return 0;
}

double linear_baseline(const TrainJob& job) {
  require_one_label(*job.train, "train");
  TrainConfig config;
  config.epochs = 5;
  config.batch_size = std::min<int64_t>(128, job.config.batch_size);
  config.seed = job.config.seed;
  config.label_smoothing = config.weight_decay = 0;
  if (!job.quiet) std::fprintf(stderr, "a linear model first, to compare with ...\n");
  Rng rng(config.seed);
  const auto model = models::make_model("linear", rng, shape_of(job.train->info()));
  const TrainResult result =
      train_model(*model, job.train, job.test, preprocessing_for(*model, job.train->info()), config, {.quiet = true});
  return result.history.back().test->at("top1");
}

}  // namespace vitrail::cli
