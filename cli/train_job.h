// What `train` and `demo` share: data, model and recipe put together, trained, saved, reported.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/sets/registry.h"
#include "models/presets.h"
#include "train/trainer.h"

namespace vitrail::cli {

struct TrainJob {
  std::string model;  // a preset, or the path of a JSON configuration; empty: the data set's default
  std::string out;    // folder; empty: nothing is saved
  std::string data;   // as in data/sets/registry.h
  TrainConfig config;
  bool replace = false;   // the folder may hold a model already
  bool quiet = false;     // nothing on standard error but errors
  bool baseline = false;  // train a softmax regression on the same images first
  DatasetPtr train, test;
  std::vector<BadImage> bad;  // left out of them
  int64_t cache_mb = -1;      // decoded pictures kept in memory, in MiB; -1: half of what training leaves, at most 4096
};

// The preset that suits a data set: cct_2_3x2_d64 for grey pictures, cct_2_3x2 for colour; above 64 pixels a side with one or two
// convolutions more in front, so that there are not thousands of tokens.
std::string default_preset(const DatasetInfo& info);
// A preset takes size, channels and classes from the data; a JSON file keeps its own image size (pictures are resized).
models::ModelConfig model_config(const std::string& model, const DatasetInfo& info);

// Trains, saves into job.out after every epoch, prints the result on standard output. 0, or 128 + signal.
int run_training(TrainJob job);
// Prints parameters, cost, memory and time of the job, measured on a few images, without training.
int print_estimates(const TrainJob& job);
// Test accuracy of a softmax regression trained for a few seconds on the same images.
double linear_baseline(const TrainJob& job);

}  // namespace vitrail::cli
