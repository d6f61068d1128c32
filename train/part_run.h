// A training run that is part of an experiment of many: a fold of a cross-validation, a trial of a search. It has a run folder
// of its own, can be told to stop, and can be gone on with to more epochs.
//
// The configuration says what the whole run would be; `epochs` says after how many of its epochs to stop. The learning rate
// follows the schedule of the whole run. So a part run that is gone on with gives the bits of one that was never stopped.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "models/presets.h"
#include "train/config.h"
#include "train/task/scores.h"

namespace vitrail {

struct PartRun {
  std::string folder;  // made if missing, locked while it runs
  models::ModelConfig model;
  TrainConfig config;  // its patience is ignored: runs that are compared are equally long
  DatasetPtr train, test;    // `test` is what is scored; in the experiments above it is a part of the training images
  int64_t epochs = 0;        // stop when so many are done; 0: at the end of the run. Needs a test after that epoch (eval_every)
  bool quiet = true;         // no lines of epochs on standard error
  int64_t memory_limit = 0;  // bytes, for check_memory(); 0: none
  std::function<bool()> stop{};  // asked after each update: true ends the run there
};

struct PartResult {
  std::optional<Scores> scores;  // of the last test; none if the run was ended before its first
  int64_t epochs = 0;            // done, the last one tested
  double seconds = 0;            // of this call
  int signal = 0;                // SIGINT, SIGTERM or SIGHUP if one ended it early
  bool stopped = false;          // by stop()
  bool complete() const { return signal == 0 && !stopped; }
};

// Writes metrics.jsonl, metrics.csv and, when it is complete, model.safetensors. Error as Trainer and RunFolder throw them;
// Error(kMemory) if the run would not fit. The caller opens the InterruptScope.
PartResult run_part(const PartRun& part);

}  // namespace vitrail
