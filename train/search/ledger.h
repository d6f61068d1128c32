// What a search has found so far: search.json in its folder, the whole state of a search. Trials are a function of (seed,
// number), and the scheduler's answers one of the results, so a search that is begun again with the same settings goes on where
// it stopped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "train/search/asha.h"
#include "train/search/space.h"
#include "train/task/scores.h"

namespace vitrail::search {

constexpr const char* kLedgerFile = "search.json";

// What a trial has reached at a rung.
struct Result {
  Job job;
  int64_t epochs = 0;
  double score = 0;       // the first of the task's scores; NaN if the trial failed
  double seconds = 0;     // from the rung below to this one
  std::string failure{};  // why there is no score
  bool failed() const { return !failure.empty(); }
};

struct Ledger {
  std::string settings = "{}";  // a JSON object: all that the results depend on
  Score metric{};               // name, label, unit and direction of the score
  std::vector<Values> trials;   // by number: what varies
  std::vector<Result> results;  // in the order in which they came
  // Of the job that was stopped before its end: begun again, it goes on from its checkpoint.
  std::optional<Job> unfinished{};
  double unfinished_seconds = 0;
};

std::string to_json(const Ledger& ledger);
// Error(kData) naming `where`, key and rule; also if a result belongs to no trial, or stands twice.
Ledger ledger_from_json(const std::string& text, const std::string& where);

// A trial in the ranking.
struct Standing {
  int64_t trial = 0;
  std::optional<double> score;  // of the last result that has one
  int64_t epochs = 0;           // of that score
  double seconds = 0;           // of all its results
  std::string failure{};
};
// The best first: by score; of equal ones the more epochs, then the lower number. Trials without a score come last.
std::vector<Standing> ranking(const Ledger& ledger);

// A table for the terminal: rank, trial, score, epochs, seconds, values. At most `most` rows (0: all), and a line that says how
// many are left out.
std::string ranking_table(const Ledger& ledger, size_t most = 0);
// The score as people read it: "91.25 %", "0.4123".
std::string shown_score(const Ledger& ledger, double score);

// How far the scores can be trusted: "" if no trial has one, else a sentence with the number of held-out pictures that each
// score comes from, of a part of 1 also its standard error, sqrt(p (1 - p) / pictures) of the best one, and how many other
// trials lie within it.
std::string trust_in_scores(const Ledger& ledger, int64_t pictures);

// A page that stands alone: the table, the scores over time, and a small picture per field that varies.
std::string search_page(const Ledger& ledger);

}  // namespace vitrail::search
