#include "cli/train_setup.h"

#include <set>

#include "base/text.h"
#include "cli/job_parts.h"
#include "cli/model_options.h"
#include "cli/ranks.h"
#include "cli/train_resume.h"
#include "cli/train_rules.h"
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

int64_t count_elements(const nn::StateDict& state) {
  int64_t elements = 0;
  for (const auto& entry : state) elements += entry.second.numel();
  return elements;
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
  if (job.settings.recipe.empty()) job.settings.recipe = o.usual_recipe;
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
  if (o.kfold == 0) return;
  for (const auto& [set, flag] : {std::pair(given.contains("patience"), "--patience"),
                                  {!o.settings.baseline.empty(), "--baseline"},
                                  {o.cache_mb >= 0, "--cache"},
                                  {o.no_feature_cache, "--no-feature-cache"}})
    if (set) complain(cat("warning: ", flag, " has no effect with --kfold"));
}

// Flags that are for another kind of data set.
void warn_of_unused_data_flags(const TrainOptions& o, const TrainJob& job) {
  const DataFlags usual, &files = o.settings.files;
  const bool drawn = is_drawn(job.settings.data), read = job.train->reads_files();
  const auto warn = [](bool given, const char* flag, const char* rule) {
    if (given) complain(cat("warning: ", flag, " has no effect: ", rule));
  };
  warn(!drawn && o.settings.train_size > 0, "--train-size", "it is for drawn sets. Hint: --limit.");
  warn(!drawn && o.settings.test_size > 0, "--test-size", "it is for drawn sets.");
  const char* const rule = "it is for folders and lists of pictures.";
  warn(!read && !drawn && files.image_size != usual.image_size, "--image-size", "this set's pictures have a size.");
  warn(!read && files.mean_std != usual.mean_std, "--mean-std", rule);
  warn(!read && files.bad_image != usual.bad_image, "--bad-image", rule);
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
  // Said before anything is loaded; only whether a model is of this very run can be told no earlier than what the run is.
  const bool begun = !job.from && o.resume == "auto" && left_by_a_run(o.out);
  if (leads() && !job.from && !begun && !nothing_is_saved(o)) RunFolder::check_free(o.out, o.force);
  job = job.from ? resumed_job(o, std::move(job)) : new_job(o, std::move(job));
  find_teacher(o, job, job.settings.teacher_hash);
  if (begun && leads()) job.replace = died_before_its_checkpoint(job);
  job.ranks.facts = {{"teacher", job.settings.teacher_hash}};
  if (job.config.mirror && job.train->reads_files() && !o.quiet && !job.from)
    complain(
        "note: half of the training pictures are mirrored. Hint: --mirror false where that changes the class, as for letters.");
  if (!o.quiet) warn_of_unused(o, job.config);
  if (!o.quiet && !job.from) warn_of_unused_data_flags(o, job);
  if (job.config.threads > 0) set_num_threads(static_cast<int>(job.config.threads));
  share_processors(job.config.threads, o.quiet);
  compare_kernels(job.config.optimizer == "muon" && !o.shard_optimizer, o.quiet);
  if (!leads()) job.out.clear(), job.silent = true;
  return job;
}

}  // namespace vitrail::cli
