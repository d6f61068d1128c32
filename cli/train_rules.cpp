#include "cli/train_rules.h"

#include "base/text.h"
#include "cli/ranks.h"
#include "comm/world.h"

namespace vitrail::cli {

bool nothing_is_saved(const TrainOptions& o) { return o.dry_run || o.find_lr || o.overfit; }

namespace {

void check_length(const TrainOptions& o) {
  if (o.minutes == 0) return;
  for (const char* key : {"epochs", "max_steps"})
    check(!o.fields.contains(key) || !o.fields.at(key), ErrorKind::kValue, "train",
          "--minutes chooses the epochs: leave out --epochs and --max-steps.");
  check(!o.find_lr && o.kfold == 0 && !o.overfit, ErrorKind::kValue, "train",
        "--minutes goes with none of --find-lr, --kfold and --overfit-one-batch.");
}

}  // namespace

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
  check(!o.force || o.kfold == 0, ErrorKind::kValue, "train",
        "--force does not go with --kfold: the same command goes on with its folds. Hint: another --out begins anew.");
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

}  // namespace vitrail::cli
