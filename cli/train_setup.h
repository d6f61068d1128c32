// From the options of `train` and `demo` to a job: a new one, or one that goes on from a checkpoint.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "cli/train_job.h"
#include "models/weights/adapt.h"

namespace vitrail::cli {

constexpr const char* kResumeAlways = "yes";  // --resume without a word

// The options that may be given; the rest comes from the checkpoint that is resumed, from the file of --config, or from the
// data set's recipe.
struct TrainOptions {
  TrainSettings settings;                                    // what is not given is empty, or 0
  std::map<std::string, std::optional<std::string>> fields;  // of TrainConfig, by key
  std::string out, config, resume;
  int64_t cache_mb = -1;
  bool dry_run = false, force = false, quiet = false, verbose = false, no_feature_cache = false;
  int64_t kfold = 0;     // 0: one run
  bool find_lr = false;  // no run at all
  bool overfit = false;  // of one batch, and no run
  // Of --init: how to open it, and what to change of it besides its head (finetune).
  OpenOptions open{};
  std::optional<AdaptTo> adapt{};
  std::string usual_recipe;  // of a new run whose recipe neither options nor --config name; empty: that of the data set
  int64_t comm_timeout = 60;
  bool no_overlap = false, shard_optimizer = false;
  int64_t bucket = 0;
  std::string compress;
  int64_t minutes = 0;  // the epochs are chosen so that the run takes so long; 0: they are given
};

// Opens the data; with --resume locks the folder and reads its newest valid checkpoint. Error(kValue) for what contradicts what
// the checkpoint recorded; Error(kData) if the data is not what the run was trained on.
TrainJob make_job(const TrainOptions& options);

}  // namespace vitrail::cli
