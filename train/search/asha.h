// Asynchronous successive halving: which trial to run next, and for how long (Li et al., "A System for Massively Parallel
// Hyperparameter Tuning", MLSys 2020, algorithm 2).
//
// A rung is a number of epochs. Every trial runs for those of rung 0; of the trials that have finished rung k, the best 1/eta
// go on to rung k + 1. No rung waits until it is full: as soon as a trial is among the best 1/eta of those that are there, it
// is promoted, and if none is, a new trial begins.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace vitrail::search {

// min_epochs eta^k for k = 0, 1, ..., then max_epochs. A rung above max_epochs / sqrt(eta) is left out: it would hardly differ
// from the last one. Error(kValue) unless 1 <= min_epochs <= max_epochs and eta >= 2.
std::vector<int64_t> rung_epochs(int64_t min_epochs, int64_t max_epochs, int64_t eta);

// One trial at one rung.
struct Job {
  int64_t trial = 0;
  size_t rung = 0;
  friend bool operator==(const Job&, const Job&) = default;
};

// The scheduler: it is told results and answers what to run next. Its answers depend on the jobs that were begun and on the
// results so far, in any order of theirs; equal scores: the trial of the lower number is better.
class Asha {
 public:
  // `rungs`: how many there are. max_trials: no more begin; 0: without end. One rung is random search.
  Asha(size_t rungs, int64_t eta, int64_t max_trials);

  // Nothing if there is nothing to do until a result arrives, or at all.
  std::optional<Job> next() const;
  // The job runs, or has run.
  void begin(const Job& job);
  // Its score, larger is better; what is not finite counts as worst and is never promoted. Begins the job if it has not begun.
  // Error(kValue) for a rung that does not exist, a second result, or a rung whose predecessor has no result.
  void report(const Job& job, double score);

  int64_t trials() const { return trials_; }  // begun
  size_t finished(size_t rung) const { return results_[rung].size(); }

 private:
  std::optional<int64_t> promotable(size_t rung) const;

  int64_t eta_, max_trials_, trials_ = 0;
  std::vector<std::vector<std::pair<double, int64_t>>> results_;  // of each rung: score, trial
  std::vector<std::set<int64_t>> begun_;                          // of each rung
};

}  // namespace vitrail::search
