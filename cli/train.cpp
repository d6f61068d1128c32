// vitrail train.
#include <cstdio>
#include <memory>

#include "base/text.h"
#include "cli/command.h"
#include "cli/experiments.h"
#include "cli/ranks.h"
#include "cli/train_flags.h"
#include "cli/train_setup.h"
#include "cli/train_trials.h"
#include "train/recipes.h"

namespace vitrail::cli {

namespace {

void add_model(Command& command, TrainOptions& o) {
  command.option("--model", o.settings.model, "Preset or config.json (cct_2_3x2_d64; cct_2_3x2 for colour)");
}

void add_drawn_sizes(Command& command, TrainOptions& o) {
  command.option("--train-size", o.settings.train_size, "Training images of a drawn set (20000)", 0, kMaxImages);
  command.option("--test-size", o.settings.test_size, "Test images of a drawn set (4000)", 0, kMaxImages);
}

// A flag for each field of the recipe that belongs to this group.
void add_fields(Command& command, TrainOptions& o, FieldGroup group) {
  for (const ConfigFlag& flag : config_flags({}))
    if (flag.group == group) command.option(flag.flag, o.fields[flag.key], flag.help).type(flag.type);
}

std::string recipe_names() {
  std::string names;
  for (const Recipe& recipe : recipes()) names += (names.empty() ? "" : ", ") + recipe.name;
  return names;
}

// Under the headings in which help shows them.
void add_options(Command& command, TrainOptions& o) {
  command.group("Data").option("--data", o.settings.data, kDataHelp);
  add_data_flags(command, o.settings.files);
  command.option("--limit", o.settings.limit, "Only N training images: the first, of folders and lists evenly spread", 0,
                 kMaxImages);
  command.option("--max-train-samples", o.settings.max_train_samples,
                 "Only N training images, drawn by --seed from each class in proportion to its size", 0, kMaxImages);
  add_drawn_sizes(command, o);
  add_model(command.group("Model"), o);
  command.option("--init", o.settings.init,
                 "A trained model to start from: a folder that train wrote, or its model.safetensors");
  command.option("--teacher", o.settings.teacher, kTeacherHelp);
  command.option("--baseline", o.settings.baseline, "linear: train a softmax regression first, to compare with");
  command.group("Recipe").option("--recipe", o.settings.recipe,
                                 cat("A named recipe: ", recipe_names(), " (that of the data set)"));
  command.option("--config", o.config, "Recipe as JSON, or the train-config.json of a run; options given here win");
  command.option("--minutes", o.minutes, "Choose the epochs so that training and tests take so long", 1, 1'000'000);
  add_fields(command, o, FieldGroup::kRecipe);
  add_fields(command.group("Augmentation"), o, FieldGroup::kAugmentation);
  add_fields(command.group("What is trained"), o, FieldGroup::kTrainedPart);
  command.group("Saving and resuming");
  command.option("--out", o.out, "Folder for model.safetensors, report.html, metrics.jsonl and metrics.csv");
  command.option_or_word("--resume", o.resume, kResumeAlways,
                         "Go on with the run that --out holds; \"--resume auto\": or start one there if it holds none");
  command.flag("--force", o.force, "Replace the run that the folder holds");
  add_fields(command, o, FieldGroup::kSaving);
  command.group("Machine");
  add_fields(command, o, FieldGroup::kMachine);
  command.option("--cache", o.cache_mb, "MiB of decoded pictures kept in memory (what the run leaves)", 0, int64_t{1} << 20);
  command.flag("--no-feature-cache", o.no_feature_cache, "Compute frozen parts anew in every epoch");
  command.flag("--quiet", o.quiet, "No progress on standard error, only errors");
  command.flag("--verbose", o.verbose, "Also why features of frozen parts are computed anew in every epoch");
  command.group("Several ranks (docs/cluster.md)");
  command.option("--comm-timeout", o.comm_timeout, "Seconds without a sign of life after which a rank is lost (60); 0: never",
                 0, 86400);
  command.flag("--shard-optimizer", o.shard_optimizer,
               "Each rank keeps the optimiser's state of a part of the weights; the same result");
  command.option("--compress", o.compress, "bf16: gradients in half the bytes; another result for each number of ranks");
  command.option("--bucket", o.bucket, "MiB of gradients that are sent at a time (measured at the start); the same result", 1,
                 1024);
  command.flag("--no-overlap", o.no_overlap, "Send gradients after the backward pass, not during it; the same result");
  command.group("Instead of training");
  command.flag("--dry-run", o.dry_run, "Print parameters, memory and time, and leave");
  command.option("--kfold", o.kfold, "Train so often, each time without a part of the training images, to test on it", 2, 1000);
  command.flag("--find-lr", o.find_lr, "Try rising learning rates for 100 updates and suggest one; nothing is trained");
  command.flag("--overfit-one-batch", o.overfit, "Learn one batch by heart, to see that learning works; saves nothing");
}

}  // namespace

void add_recipe_flags(Command& command, TrainOptions& o, const TrainConfig& defaults, const std::set<std::string>& only) {
  if (only.empty()) {
    for (const auto& [title, group] : {std::pair("Recipe", FieldGroup::kRecipe),
                                       {"Augmentation", FieldGroup::kAugmentation},
                                       {"What is trained", FieldGroup::kTrainedPart},
                                       {"Saving", FieldGroup::kSaving},
                                       {"Machine", FieldGroup::kMachine}})
      add_fields(command.group(title), o, group);
    return;
  }
  for (const ConfigFlag& flag : config_flags(defaults))
    if (only.contains(flag.key)) command.option(flag.flag, o.fields[flag.key], flag.help).type(flag.type);
}

void add_train(CLI::App& app, Action& action) {
  auto o = std::make_shared<TrainOptions>();
  Command command(app, "train", "Train a model on a data set and save it");
  add_options(command, *o);
  command.footer(
      "Grey images: 8 epochs and a rate of 0.002 unless told otherwise; crop padding and mirroring follow the data.\n"
      "Example: vitrail train --data photos --out runs/photos");
  command.runs(action, [o] {
    if (!o->quiet && leads()) print_machine_notice();
    TrainJob job = make_job(*o);
    if (o->kfold > 0) return run_kfold_job(job, o->kfold);
    if (o->find_lr) return run_find_lr(job);
    if (o->overfit) return overfit_batch(job);
    if (o->minutes > 0) fit_minutes(job, o->minutes);
    return o->dry_run ? print_estimates(job) : run_training(job);
  });
}

}  // namespace vitrail::cli
