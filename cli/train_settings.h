// What a training run is told beside its recipe, and both together as one JSON object: train-config.json in the run's folder,
// which `vitrail train --config` reads back, and the job in its checkpoints.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/data_options.h"
#include "train/config.h"

namespace vitrail::cli {

constexpr const char* kConfigFile = "train-config.json";

struct TrainSettings {
  std::string data;          // as in data/sets/registry.h
  std::string model;         // a preset, the path of a JSON configuration, or its text {...}; empty: the data set's default
  std::string model_name;    // what it is called for people
  std::string baseline;      // "linear" or nothing
  std::string recipe;        // a name of train/recipes.h; empty: that of the data set
  std::string init;          // a saved model whose weights training starts from; empty: new weights
  std::string teacher;       // a saved model to learn from (train/task/distillation.h); empty: none
  std::string teacher_hash;  // of its weights, preprocessing and classes
  int64_t limit = 0, train_size = 0, test_size = 0;  // 0: all, or the drawn set's own
  int64_t max_train_samples = 0;  // so many training images, drawn by the seed from each class in proportion; 0: all
  DataFlags files;                // of folders and lists
};

// The settings, then the fields of the recipe and those that say how to run, in one object. `model` is that of the run,
// resolved.
std::string to_json(const TrainSettings& settings, const TrainConfig& config);
// The settings alone.
std::string to_json(const TrainSettings& settings);
// Reads both from one object; what it leaves out keeps its value. Error(kValue) naming `where` and the key.
void read_settings(const std::string& text, const std::string& where, TrainSettings& settings, TrainConfig& config);
// Where two differ, in words: "limit is 100, not 50". The models are compared as text, the data by name alone: its folder may
// move.
std::vector<std::string> differences(const TrainSettings& own, const TrainSettings& other);

}  // namespace vitrail::cli
