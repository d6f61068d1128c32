#include "cli/train_setup.h"

#include <filesystem>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/model_options.h"
#include "cli/ranks.h"
#include "comm/collectives.h"
#include "comm/world.h"
#include "models/presets.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "train/optim/layer_decay.h"
#include "train/ranks/model_of_rank_0.h"
#include "train/ranks/split.h"
#include "train/recipes.h"
#include "train/start_from.h"
#include "train/unused_settings.h"

namespace vitrail::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kNoData = "--data is required. Hint: vitrail train --help shows an example.";

bool nothing_is_saved(const TrainOptions& o) { return o.dry_run || o.find_lr || o.overfit; }

void check_length(const TrainOptions& o) {
  if (o.minutes == 0) return;
  for (const char* key : {"epochs", "max_steps"})
    check(!o.fields.contains(key) || !o.fields.at(key), ErrorKind::kValue, "train",
          "--minutes chooses the epochs: leave out --epochs and --max-steps.");
  check(!o.find_lr && o.kfold == 0 && !o.overfit, ErrorKind::kValue, "train",
        "--minutes goes with none of --find-lr, --kfold and --overfit-one-batch.");
}

void check_options(const TrainOptions& o) {
  check(o.resume.empty() || o.resume == "auto" || o.resume == kResumeAlways, ErrorKind::kValue, "train",
        "--resume goes on with the run in the folder of --out, and takes no folder: it is ", quote(o.resume, kMaxPath),
        ". Hint: --resume --out ", escaped_path(o.out.empty() ? o.resume : o.out), ".");
  const std::string& baseline = o.settings.baseline;
  check(baseline.empty() || baseline == "linear", ErrorKind::kValue, "train", "unknown baseline: it is ", quote(baseline),
        ". Hint: --baseline linear.");
  const bool named = !o.settings.data.empty() || !o.config.empty() || !o.resume.empty();
  check(named, ErrorKind::kValue, "train", kNoData);
  check(o.dry_run + o.find_lr + (o.kfold > 0) + o.overfit <= 1, ErrorKind::kValue, "train",
        "--dry-run, --find-lr, --kfold and --overfit-one-batch do not go together. Hint: one of them.");
  check(nothing_is_saved(o) || !o.out.empty(), ErrorKind::kValue, "train", "--out is needed. Hint: --out DIR, or --dry-run.");
  check(o.settings.init.empty() || (!o.find_lr && o.kfold == 0), ErrorKind::kValue, "train",
        "--init goes with neither --find-lr nor --kfold: they train new models.");
  check(o.settings.teacher.empty() || o.kfold == 0, ErrorKind::kValue, "train",
        "--teacher does not go with --kfold: its folds are trained on their labels alone.");
  check_length(o);
  check(o.config.empty() || o.settings.recipe.empty(), ErrorKind::kValue, "train",
        "--recipe and --config are both whole recipes. Hint: one of them; single fields by their flags.");
  if (o.resume.empty()) return;
  check(!o.find_lr && o.kfold == 0, ErrorKind::kValue, "train",
        "--resume goes with neither --find-lr nor --kfold. Hint: --kfold goes on by itself with the same command.");
  check(!o.force && !o.dry_run, ErrorKind::kValue, "train", "--resume goes with neither --force nor --dry-run.");
  check(!o.overfit && o.minutes == 0, ErrorKind::kValue, "train",
        "--resume goes with neither --overfit-one-batch nor --minutes.");
}

// What depends on a clock, or is no run, is for one process.
void check_ranks_options(const TrainOptions& o) {
  check(o.compress.empty() || o.compress == "bf16", ErrorKind::kValue, "train", "--compress must be bf16: it is ",
        quote(o.compress), ".");
  if (world().size() == 1) return;
  for (const auto& [given, flag] : {std::pair(o.dry_run, "--dry-run"),
                                    {o.find_lr, "--find-lr"},
                                    {o.kfold > 0, "--kfold"},
                                    {o.overfit, "--overfit-one-batch"},
                                    {o.minutes > 0, "--minutes"}})
    check(!given, ErrorKind::kValue, "train", flag, " is for one process: ", world().size(), " were started.");
}

bool rank_0_says(bool answer) {
  char word = answer;
  broadcast(world(), std::as_writable_bytes(std::span(&word, 1)));
  return word != 0;
}

// The checkpoint to go on from; nothing if a new run is wanted.
std::shared_ptr<FoundCheckpoint> checkpoint_of(const TrainOptions& o, TrainJob& job) {
  if (o.resume.empty() || (o.resume == "auto" && !rank_0_says(has_checkpoint(o.out)))) return nullptr;
  auto found = std::make_shared<FoundCheckpoint>();
  if (!leads()) {
    const FileOfRank0 copy(o.out);
    found->path = copy.path();
    found->checkpoint = read_checkpoint(found->path);
    return found;
  }
  check(has_checkpoint(o.out), ErrorKind::kIo, "train", escaped_path(o.out),
        " holds no checkpoint to go on from. Hint: --resume auto starts a new run in that case.");
  job.folder = std::make_shared<RunFolder>(o.out, /*replace=*/true);  // nobody writes while we read
  *found = find_checkpoint(o.out);
  const FileOfRank0 sent(found->path);
  if (!found->complaint.empty())
    complain(cat("warning: the newest checkpoint is damaged, going on from ", escaped_path(found->path), ", update ",
                 found->checkpoint.state.step, ": ", found->complaint));
  settle(o.out, *found);
  return found;
}

// How to run, as the run was told: what rank 0's folder says. A file that is missing or not ours is no reason to lose the run.
TrainConfig how_to_run(const std::string& out) {
  const std::string path = (fs::path(out) / kConfigFile).string();
  std::string text;
  try {
    if (leads()) text = read_text_file(path);
  } catch (const Error&) {
  }
  broadcast(world(), text);
  TrainSettings ignored;
  TrainConfig config;
  try {
    read_settings(text, path, ignored, config);
  } catch (const Error&) {
    return {};
  }
  return config;
}

void overlay(const TrainOptions& o, TrainSettings& s, TrainConfig& c) {
  const int64_t usual_head_epochs = c.head_epochs;
  if (!o.config.empty()) read_settings(read_text_file(o.config), o.config, s, c);
  for (const auto& [given, field] : {std::pair(&o.settings.data, &s.data),
                                     {&o.settings.model, &s.model},
                                     {&o.settings.baseline, &s.baseline},
                                     {&o.settings.recipe, &s.recipe},
                                     {&o.settings.init, &s.init},
                                     {&o.settings.teacher, &s.teacher}})
    if (!given->empty()) *field = *given;
  for (const auto& [given, field] : {std::pair(&o.settings.limit, &s.limit),
                                     {&o.settings.train_size, &s.train_size},
                                     {&o.settings.test_size, &s.test_size},
                                     {&o.settings.max_train_samples, &s.max_train_samples}})
    if (*given != 0) *field = *given;
  const DataFlags usual, &files = o.settings.files;
  if (files.image_size != usual.image_size) s.files.image_size = files.image_size;
  if (files.bad_image != usual.bad_image) s.files.bad_image = files.bad_image;
  if (files.mean_std != usual.mean_std) s.files.mean_std = files.mean_std;
  if (files.labels != usual.labels) s.files.labels = files.labels;
  for (const auto& [key, text] : o.fields)
    if (text) set_field(c, key, *text);
  // A recipe's own epochs of the head alone give way to what was asked for.
  const auto head = o.fields.find("head_epochs");
  const bool asked = head != o.fields.end() && head->second;
  if (!asked && c.head_epochs == usual_head_epochs && (c.head_epochs >= c.epochs || c.trainable == "head")) c.head_epochs = 0;
  validate(c);
}

int64_t count_elements(const nn::StateDict& state) {
  int64_t elements = 0;
  for (const auto& entry : state) elements += entry.second.numel();
  return elements;
}

void open_data(TrainJob& job, uint64_t seed) {
  const TrainSettings& s = job.settings;
  check(!s.data.empty(), ErrorKind::kValue, "train", kNoData);
  DatasetOptions options = dataset_options(s.files, job.quiet);
  options.train_size = s.train_size;
  options.test_size = s.test_size;
  const DatasetSource source = open_source(s.data, options);
  if (!job.quiet) print_notes(source);
  job.bad = source.bad;
  job.train = source.open(Split::kTrain);
  check(s.limit == 0 || s.max_train_samples == 0, ErrorKind::kValue, "train",
        "--limit and --max-train-samples both say how many images to train on: they are ", s.limit, " and ",
        s.max_train_samples, ". Hint: one of them.");
  if (s.max_train_samples > 0) {
    const int64_t all = job.train->size();
    job.train = stratified_n(job.train, s.max_train_samples, seed);
    if (!job.quiet && job.train->size() < all)
      complain(cat("note: ", job.train->size(), " of ", all, " training images, drawn by seed ", seed,
                   " from each class in proportion"));
  }
  // Files stand class by class: the first would be of one class.
  if (s.limit > 0) job.train = job.train->reads_files() ? spread_n(job.train, s.limit) : first_n(job.train, s.limit);
  job.test = source.open(Split::kValidation);
}

[[noreturn]] void contradiction(const TrainOptions& o, const std::vector<std::string>& differences) {
  fail(ErrorKind::kValue, "train", "--resume goes on with what ", escaped_path(o.out), " recorded: ", listed(differences),
       ". Hint: leave that out, or start anew with another --out.");
}

TrainJob resumed_job(const TrainOptions& o, TrainJob job) {
  const Checkpoint& checkpoint = job.from->checkpoint;
  TrainSettings recorded;
  TrainConfig config = how_to_run(o.out);
  read_settings(checkpoint.job, job.from->path, recorded, config);
  config = train_config_from_json(recipe_json(checkpoint.state.config), config, job.from->path);
  job.settings = recorded;
  job.config = config;
  overlay(o, job.settings, job.config);
  std::vector<std::string> different = recipe_differences(config, job.config);
  if (!different.empty()) contradiction(o, different);
  // What can be told before the data is opened, which another way of reading it might not survive.
  TrainSettings but_model = job.settings;
  but_model.model = recorded.model;
  if (different = differences(recorded, but_model); !different.empty()) contradiction(o, different);
  try {
    open_data(job, job.config.seed);
  } catch (const Error& e) {
    // The path was recorded as it was given, and the program may stand in another folder now.
    if (!o.settings.data.empty() || e.kind() == ErrorKind::kData) throw;
    throw Error(e.kind(),
                cat("[train] the run recorded its data as ", quote(job.settings.data),
                    ", which cannot be opened from here. Hint: --data PATH says where it lies now. (", e.what(), ")"));
  }
  for (TrainSettings* s : {&recorded, &job.settings})
    s->model = models::to_json(with_drop_path(model_config(s->model, job.train->info()), config.drop_path));
  different = differences(recorded, job.settings);
  if (!different.empty()) contradiction(o, different);
  const std::string data = data_identity(*job.train, job.test.get());
  check(tidy_json(data, "data") == tidy_json(checkpoint.data, job.from->path), ErrorKind::kData, "train",
        "the data is not what the run was trained on: it is ", data, ", ", escaped_path(o.out), " recorded ", checkpoint.data,
        ".");
  return job;
}

// Whether the model that training starts from has a head, and nothing of it is kept.
bool head_is_new(const TrainJob& job) {
  const SavedModel& init = *job.init;
  std::optional<bool> zero;
  for (const auto& [name, tensor] : init.weights)
    if (is_head(name)) zero = zero.value_or(true) && (tensor.numel() == 0 || max(abs(tensor)).item() == 0);
  if (!zero) return false;
  const bool same = init.card.class_names == job.train->class_names() && init.card.task == task_for(job.train->info());
  return job.adapted ? *zero : !same;
}

// The configuration of the recipe, or of the data set where none is named.
TrainConfig base_config(const TrainJob& job) {
  const DatasetInfo& info = job.train->info();
  if (job.settings.recipe.empty()) return recipe_for(*job.train);
  const Recipe& recipe = find_recipe(job.settings.recipe);
  check(!recipe.from_model || job.init, ErrorKind::kValue, "train", "recipe ", recipe.name,
        " starts from a trained model. Hint: --init RUN, a folder that train wrote.");
  return recipe.config({info, job.init ? count_elements(job.init->weights) : 0, job.init && head_is_new(job)});
}

// What the run is to build: what was asked for, else the architecture of --init, else the recipe's, else the data set's usual
// one.
void choose_model(TrainJob& job) {
  TrainSettings& s = job.settings;
  const DatasetInfo& info = job.train->info();
  models::ModelConfig config;
  if (s.model.empty() && job.init) {
    s.model_name = "as " + s.init;
    config = architecture_for(*job.init, job.train->num_classes());
  } else {
    if (s.model.empty() && !s.recipe.empty()) s.model = find_recipe(s.recipe).model(info);
    if (!s.model.starts_with("{"))
      s.model_name = s.model.empty() ? default_preset(info) : s.model;
    else if (s.model_name.empty())
      s.model_name = s.recipe;
    config = model_config(s.model, info);
  }
  s.model = models::to_json(with_drop_path(config, job.config.drop_path));
}

// Pictures from files are read at the size that the model will have.
void use_model_size(TrainJob& job, const SavedModel& init, const AdaptTo& to) {
  if (is_drawn(job.settings.data)) return;
  job.settings.files.image_size = to.img_size.h > 0 ? to.img_size.h : init.card.preprocessing.height;
}

void adapt_to_data(TrainJob& job, SavedModel& init, AdaptTo to) {
  to.class_names = job.train->class_names();
  to.task = task_for(job.train->info());
  for (const std::string& note : adapt(init, to))
    if (!job.quiet) complain("note: " + note);
  job.adapted = true;
}

// Several ranks need groups to share: where nobody said how many, a number that follows from the batch.
void use_groups(TrainJob& job) {
  const int ranks = world().size();
  if (ranks == 1) return;
  TrainConfig& c = job.config;
  if (c.groups == 1) {
    c.groups = default_groups(c.batch_size);
    if (!job.quiet)
      complain(cat("note: batches of ", c.batch_size, " in ", c.groups, " groups for ", ranks,
                   " ranks; one process repeats this run with --groups ", c.groups, "."));
  }
  check_ranks(c.groups, ranks, c.batch_size);
}

TrainJob new_job(const TrainOptions& o, TrainJob job) {
  TrainConfig scratch;  // the recipe depends on the data set, and that may be named in the file
  overlay(o, job.settings, scratch);
  if (!job.settings.recipe.empty()) find_recipe(job.settings.recipe);  // a wrong name is told before data is opened
  require_same_flags({{"--init", job.settings.init}});
  if (!job.settings.init.empty()) {
    auto init = std::make_shared<SavedModel>(read_on_rank_0(world(), job.settings.init, o.open));
    if (init->origin && !job.quiet) print_origin_notes(*init->origin);
    if (o.adapt) use_model_size(job, *init, *o.adapt);
    open_data(job, scratch.seed);
    if (o.adapt) adapt_to_data(job, *init, *o.adapt);
    job.init = std::move(init);
  } else {
    open_data(job, scratch.seed);
  }
  job.config = base_config(job);
  const int64_t usual = TrainConfig().batch_size, chosen = job.config.batch_size;
  overlay(o, job.settings, job.config);
  const bool given = o.fields.contains("batch_size") && o.fields.at("batch_size");
  if (job.settings.recipe.empty() && !given && chosen < usual && job.config.batch_size == chosen && !o.quiet)
    complain(cat("note: batches of ", chosen, " for ", job.train->size(), " pictures, so that an epoch has ",
                 (job.train->size() + chosen - 1) / chosen, " updates (--batch-size)."));
  use_groups(job);
  choose_model(job);
  return job;
}

// Opens the teacher, if there is one. `recorded`: its hash in the checkpoint, or in the file of --config; "": none yet.
void find_teacher(const TrainOptions& o, TrainJob& job, const std::string& recorded) {
  TrainSettings& s = job.settings;
  require_same_flags({{"--teacher", s.teacher}});
  check(s.teacher.empty() || job.config.distillation != "none", ErrorKind::kValue, "train",
        "--teacher needs to know what is learnt from it. Hint: --distillation hard (its answers) or soft (its probabilities).");
  check(!s.teacher.empty() || job.config.distillation == "none", ErrorKind::kValue, "train", "distillation ",
        job.config.distillation, " needs a teacher. Hint: --teacher FILE or DIR, a trained model.");
  if (s.teacher.empty()) return;
  try {
    job.teacher = open_teacher(world(), s.teacher);
  } catch (const Error& e) {
    if (!leads() || !job.from || !o.settings.teacher.empty() || e.kind() != ErrorKind::kIo) throw;
    throw Error(e.kind(),
                cat("[train] the run recorded its teacher as ", quote(s.teacher, kMaxPath),
                    ", which cannot be opened from here. Hint: --teacher PATH says where it lies now. (", e.what(), ")"));
  }
  const bool chosen_anew = !job.from && !o.settings.teacher.empty();
  check(recorded.empty() || chosen_anew || recorded == job.teacher->hash, ErrorKind::kValue, "train", escaped_path(s.teacher),
        " is not the teacher that was recorded: its hash is ", job.teacher->hash, ", not ", escaped(recorded),
        ". Hint: the recorded one, or a new run with another --out.");
  s.teacher_hash = job.teacher->hash;
  if (!job.quiet && job.teacher->origin) print_origin_notes(*job.teacher->origin);
}

void warn_of_unused(const TrainOptions& o, const TrainConfig& config) {
  std::set<std::string> given;
  for (const auto& [key, text] : o.fields)
    if (text) given.insert(key);
  for (const std::string& note : settings_without_effect(config, given)) complain("warning: " + note);
}

}  // namespace

TrainJob make_job(const TrainOptions& options) {
  TrainOptions o = options;
  if (!leads()) o.quiet = true;
  check_options(o);
  check_ranks_options(o);
  watch_ranks(static_cast<double>(o.comm_timeout));
  require_same_flags({{"--resume", o.resume}, {"--comm-timeout", std::to_string(o.comm_timeout)}});
  TrainJob job;
  job.replace = o.force;
  job.quiet = o.quiet;
  job.out = o.out;
  job.cache_mb = o.cache_mb;
  job.ranks.comm = &world();
  job.ranks.gradients.overlap = !o.no_overlap, job.ranks.gradients.shard = o.shard_optimizer;
  job.ranks.gradients.compress = !o.compress.empty();
  job.ranks.gradients.bucket_bytes = o.bucket << 20;
  job.verbose = o.verbose && !o.quiet, job.feature_cache = !o.no_feature_cache;
  job.from = checkpoint_of(o, job);
  // Said before anything is loaded.
  if (leads() && !job.from && !nothing_is_saved(o)) RunFolder::check_free(o.out, o.force);
  job = job.from ? resumed_job(o, std::move(job)) : new_job(o, std::move(job));
  find_teacher(o, job, job.settings.teacher_hash);
  job.ranks.facts = {{"teacher", job.settings.teacher_hash}};
  if (job.config.mirror && job.train->reads_files() && !o.quiet && !job.from)
    complain(
        "note: half of the training pictures are mirrored. Hint: --mirror false where that changes the class, as for letters.");
  if (!o.quiet) warn_of_unused(o, job.config);
  if (job.config.threads > 0) set_num_threads(static_cast<int>(job.config.threads));
  share_processors(job.config.threads, o.quiet);
  compare_kernels(job.config.optimizer == "muon" && !o.shard_optimizer, o.quiet);
  if (!leads()) job.out.clear(), job.silent = true;
  return job;
}

}  // namespace vitrail::cli
