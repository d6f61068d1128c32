// k-fold cross-validation of a recipe: k runs, each tested on a part of the training images that it has not seen. How far the
// scores scatter says how much a difference between two recipes means.
//
//   OUT/kfold.json   scores of the folds that are done, mean and sample standard deviation
//   OUT/fold-1/ ...  the run folder of each
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/folds.h"
#include "train/part_run.h"

namespace vitrail {

constexpr const char* kKfoldFile = "kfold.json";

struct FoldResult {
  int64_t fold = 0;  // from 1
  int64_t train_images = 0, test_images = 0;
  double seconds = 0;
  Scores scores{};
};

struct KfoldOptions {
  std::string folder;
  models::ModelConfig model;
  TrainConfig config;  // its seed draws the folds too
  DatasetPtr data;
  int64_t folds = 5;
  int64_t memory_limit = 0;  // bytes; 0: none
  std::string about = "{}";  // a JSON object: what else the results depend on, such as the data
  bool quiet = false;
};

struct KfoldResult {
  std::vector<FoldResult> folds;  // those that are done
  int signal = 0;                 // the one that ended it early
};

// Folds that kfold.json of the folder holds are not run again. Error(kValue) if that has other settings, or if another run is
// writing there. Inside an InterruptScope a signal ends it after the update; the fold that was running is gone on with, or run
// again, by the next call.
KfoldResult run_kfold(const KfoldOptions& options);

// Of each score, over the folds: mean, and sqrt(sum (x - mean)^2 / (k - 1)), 0 for one fold.
struct ScoreSpread {
  Score mean;
  double deviation = 0;
};
std::vector<ScoreSpread> spread_of(const std::vector<FoldResult>& folds);

// {"settings": .., "folds": [..], "mean": {..}, "standard_deviation": {..}} and back: Error(kData) naming `where` and key.
std::string to_json(const std::vector<FoldResult>& folds, const std::string& settings);
std::vector<FoldResult> folds_from_json(const std::string& text, const std::string& where, std::string* settings);
// A row per fold, then mean and deviation.
std::string kfold_table(const std::vector<FoldResult>& folds);

}  // namespace vitrail
