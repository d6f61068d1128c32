// The ladder of `transfer`, and of the demo: the ways to use a trained model for other data, from neighbours of frozen features
// to training from scratch, each a rung with its accuracy, seconds and parameters.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/model_options.h"
#include "train/report/transfer_page.h"

namespace vitrail::cli {

struct LadderOptions {
  ModelFlags model{};
  std::string from, data, out;
  int64_t minutes = 0, epochs = 10, limit = 0, image_size = 0, seed = 0;
  int64_t train_size = 0, test_size = 0;  // of a drawn set; 0: its own
  std::string precision = "f32";
  bool force = false, resume = false;
  std::vector<double> shares{1, 0.5, 0.1};  // the largest first: with little time it is the one that matters
  std::vector<std::string> methods{"lora", "partial", "full", "scratch"};  // besides neighbours and ridge regression
};

struct LadderResult {
  std::vector<report::TransferRow> rows;  // by rising share
  std::vector<std::string> left_out;      // for want of time
  int signal = 0;                         // that ended it early
};

// Climbs it, with a line on standard error for each rung. out/transfer.json and transfer.html are written after every rung, and
// each training is a run folder out/METHOD-PERCENT. With `resume` the rungs that out/transfer.json holds are kept, and a
// training that was stopped goes on. Error(kValue) if out holds results and neither force nor resume is set, or naming each
// setting that is not that of the ladder in it; Error(kIo) if there is nothing to resume. A signal ends it after the present
// update.
LadderResult run_ladder(const LadderOptions& options);

}  // namespace vitrail::cli
