// What `train` and `demo` share: data, model and recipe put together, trained, saved, reported.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/teacher.h"
#include "cli/train_settings.h"
#include "data/sets/registry.h"
#include "models/presets.h"
#include "models/weights/save.h"
#include "train/checkpoint.h"
#include "train/run_folder.h"
#include "train/task/for_data.h"
#include "train/trainer.h"

namespace vitrail::cli {

struct TrainJob {
  TrainSettings settings;  // as asked for; the model resolved, as JSON text
  std::string out;         // folder; empty: nothing is saved
  TrainConfig config;
  bool replace = false;       // the folder may hold a model already
  bool quiet = false;         // nothing on standard error but errors
  bool silent = false;        // nor the result on standard output
  bool verbose = false;       // also why the features of frozen parts are not kept
  RanksOptions ranks{};       // of several processes
  bool feature_cache = true;  // they are, where that changes nothing (train/feature_cache.h)
  DatasetPtr train, test;
  std::vector<BadImage> bad;  // left out of them
  int64_t cache_mb = -1;      // decoded pictures kept in memory, in MiB; -1: half of what training leaves, at most 4096
  std::shared_ptr<const SavedModel> init;        // of a new run: the model that it starts from
  bool adapted = false;                          // to this data, its head included
  std::shared_ptr<const OpenedTeacher> teacher;  // null: there is none
  // Of a run that is resumed: its checkpoint, and its folder, locked since before that was read.
  std::shared_ptr<FoundCheckpoint> from;
  std::shared_ptr<RunFolder> folder;
};

// The preset that suits a data set: cct_2_3x2_d64 for grey pictures, cct_2_3x2 for colour; above 64 pixels a side with one or
// two convolutions more in front, so that there are not thousands of tokens.
std::string default_preset(const DatasetInfo& info);
// A preset takes size, channels and classes from the data; a JSON file, or its text, keeps its own image size (pictures are
// resized).
models::ModelConfig model_config(const std::string& model, const DatasetInfo& info);

// The job's model with its first weights: new ones, or those of job.init; a resumed run restores its own over them.
std::unique_ptr<models::Classifier> build_model(const TrainJob& job);
// The preprocessing is that of the run that is resumed, of the model that is started from, or of the data.
std::unique_ptr<Task> make_task(const TrainJob& job, models::Classifier& model);
// Training images that are tested after each epoch beside the test set.
int64_t clean_images(const TrainJob& job);
// Why the features of frozen parts are not kept over the epochs, in words; "" if they are.
std::string features_not_kept(const TrainJob& job, Task& task);
// What is known to fail with these settings, on standard error: a warning, not a refusal.
void print_preflight(const TrainJob& job);

// Trains, saves model and checkpoints into job.out, prints the result on standard output. 0, or 128 + signal.
int run_training(TrainJob job);
// Test accuracy of a softmax regression trained for a few seconds on the same images.
double linear_baseline(const TrainJob& job);

}  // namespace vitrail::cli
