// vitrail finetune: training that starts from a model of anyone.
#include <memory>

#include "base/text.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/train_flags.h"
#include "cli/train_setup.h"
#include "cli/train_trials.h"
#include "models/weights/patch_resampling.h"
#include "train/finetune/modes.h"
#include "train/recipes.h"

namespace vitrail::cli {

namespace {

struct Options {
  TrainOptions train;
  ModelFlags model;
  std::string mode;  // "": full, or what --config or the run that is resumed say
  int64_t image_size = 0, patch_size = 0, in_chans = 0;
};

std::string modes() {
  std::string text;
  for (const FinetuneMode& mode : finetune_modes()) text += (text.empty() ? "" : ", ") + mode.name;
  return text;
}

std::string mode_lines() {
  std::string text = "Modes:\n";
  for (const FinetuneMode& mode : finetune_modes())
    text += cat("  ", mode.name, std::string(10 - std::min<size_t>(9, mode.name.size()), ' '), mode.help, "\n");
  return text;
}

int run(Options& o) {
  TrainOptions& t = o.train;
  check(!t.settings.init.empty() || !t.resume.empty(), ErrorKind::kValue, "finetune",
        "--from is needed. Hint: --from DIR or FILE, a model to start from.");
  check(o.mode.empty() || t.config.empty(), ErrorKind::kValue, "finetune",
        "--mode and --config are both whole recipes. Hint: one of them; single fields by their flags.");
  if (!o.mode.empty()) t.settings.recipe = find_mode(o.mode).recipe;
  t.usual_recipe = find_mode("full").recipe;
  AdaptTo to;
  to.img_size = o.image_size, to.patch_size = o.patch_size, to.in_chans = o.in_chans;
  t.adapt = to;
  t.open = open_options(o.model);
  if (!t.quiet) print_machine_notice();
  TrainJob job = make_job(t);
  if (t.minutes > 0) fit_minutes(job, t.minutes);
  return t.dry_run ? print_estimates(job) : run_training(std::move(job));
}

}  // namespace

void add_finetune(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "finetune", "Make a trained model good at other pictures");
  command.option("--from", o->train.settings.init, kModelHelp);
  command.option("--data", o->train.settings.data, kDataHelp);
  command.option("--out", o->train.out, "Folder for model.safetensors, report.html, metrics.jsonl and metrics.csv");
  command.option("--teacher", o->train.settings.teacher, kTeacherHelp);
  command.option("--mode", o->mode, modes() + " (full)");
  command.option("--image-size", o->image_size, "Side of the input (the model's): positions are resampled", 1,
                 models::kMaxSide);
  command.option("--patch-size", o->patch_size, "Side of the patches (the model's): their projection is resampled", 1,
                 kMaxResampledPatch);
  command.option("--in-chans", o->in_chans, "Channels of the input, 1 or 3 (the model's)", 1, 3);
  command.option("--limit", o->train.settings.limit, "Only N training images: the first, of folders and lists evenly spread", 0,
                 kMaxImages);
  command.option("--max-train-samples", o->train.settings.max_train_samples,
                 "Only N training images, drawn by --seed from each class in proportion to its size", 0, kMaxImages);
  command.option("--bad-image", o->train.settings.files.bad_image,
                 "Pictures that cannot be read: stop, or skip: leave them out, named and counted (stop)");
  add_labels_flag(command, o->train.settings.files);
  command.option("--cache", o->train.cache_mb, "MiB of decoded pictures kept in memory (what the run leaves)", 0,
                 int64_t{1} << 20);
  command.option("--minutes", o->train.minutes, "Choose the epochs so that training and tests take so long", 1, 1'000'000);
  command.option("--config", o->train.config, "Recipe as JSON, or the train-config.json of a run; options given here win");
  add_model_flags(command, o->model);
  command.option_or_word("--resume", o->train.resume, kResumeAlways,
                         "Go on with the run that --out holds; \"--resume auto\": or start one there if it holds none");
  command.flag("--force", o->train.force, "Replace the run that the folder holds");
  command.flag("--no-feature-cache", o->train.no_feature_cache, "Compute frozen parts anew in every epoch");
  command.flag("--quiet", o->train.quiet, "No progress on standard error, only errors");
  command.flag("--verbose", o->train.verbose, "Also why features of frozen parts are computed anew in every epoch");
  command.flag("--dry-run", o->train.dry_run, "Print parameters, memory and time, and leave");
  // The values of --mode full for a ViT-Ti; the other modes' stand in mode_lines() and docs/training.md.
  const DatasetInfo example = example_pictures();
  const TrainConfig full = find_recipe(find_mode("full").recipe).config({example, 5'700'000, true});
  add_recipe_flags(command, o->train, full);  // last: the headings of help stand in the order in which they come
  command.footer(mode_lines() + "Example: vitrail finetune --from runs/pretrained --data photos --out runs/photos --mode lora");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
