// Hyper-parameter search: the scheduler's jobs one after another, each result written down before the next begins.
//
// The folder of a search:
//   search.json    everything that was found (train/search/ledger.h)
//   search.html    the same for people
//   best.json      the recipe of the best trial: vitrail train --config best.json
//   trials/0007/   the run folder of trial 7
// A trial has the schedule of the whole run (the epochs of the last rung) and is stopped at its rung: promoted, it goes on with
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "train/config.h"
#include "train/search/ledger.h"

namespace vitrail::search {

constexpr const char* kBestRecipe = "best.json";
constexpr const char* kPageFile = "search.html";

struct SearchOptions {
  std::string folder;
  Space space;
  TrainConfig fixed;       // what does not vary; its epochs are those of the last rung, its seed is that of the search too
  bool halving = true;     // false: random search, every trial runs to its end
  int64_t eta = 3;         // of the trials at a rung, one in eta goes on
  int64_t min_epochs = 1;  // of the first rung
  int64_t trials = 0;      // at most so many; 0: as many as the time allows
  double minutes =
      0;  // of this call; 0: until all trials are done. A trial that is running then is stopped, and goes on next time
  std::string about = "{}";  // a JSON object: what else the results depend on, such as data and model
  bool quiet = false;        // no lines on standard error
};

// How far a trial has come.
struct TrialOutcome {
  std::optional<Score> score;  // the one that counts, if it has reached its epochs
  int signal = 0;
};
// Runs trial `number` until `epochs` are done, from where its folder stands. `stop` says, between two updates, whether to end
// early; then there is no score. Error(kNumeric) and Error(kMemory) make it a failed trial; any other ends the search.
using RunTrial = std::function<TrialOutcome(int64_t number, const std::string& folder, const TrainConfig& config,
                                            int64_t epochs, const std::function<bool()>& stop)>;

struct SearchResult {
  Ledger ledger;
  int signal = 0;         // the one that ended it
  bool complete = false;  // every trial is done; else signal or time
};

// Goes on with the search that the folder holds. Error(kValue) if that has other settings (trials, minutes and quiet may
// differ), if another search is running there, if neither trials nor minutes have an end, or if the first 20 trials fail.
SearchResult run_search(const SearchOptions& options, const RunTrial& run);

}  // namespace vitrail::search
