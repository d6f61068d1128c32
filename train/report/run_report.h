// report.html of one run: written anew after each epoch, atomically, so that it can stay open while the training goes on.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "train/report/run_data.h"
#include "train/trainer.h"

namespace vitrail::report {

struct RunReportOptions {
  std::string folder;  // of the run: report.html and curve.csv go there, run.json is read if it is there
  std::string title;
  int64_t updates = 0;   // of the whole run; 0: unknown
  bool goes_on = false;  // of a run that is resumed: what its earlier parts left in the folder belongs to it
};

// Collects what the page shows. In TrainCallbacks: on_update -> add, on_epoch -> add; after the run finish().
//
// The page costs little: a page that took t seconds is not written again before 20 t have passed, and pictures are encoded
// once. Task and data must outlive it. Not thread-safe.
class RunReport {
 public:
  RunReport(RunReportOptions options, Task& task, DatasetPtr train, DatasetPtr test, const TrainConfig& config);

  void add(const StepReport& update) { curve_.add(update); }
  // Error(kIo) if a file cannot be written.
  void add(const EpochReport& report);
  // The last word: "finished", "stopped by signal 15". Writes the page if an epoch is done.
  void finish(const std::string& state);

  std::string path() const { return options_.folder + "/" + kPageFile; }
  // The time that writing has taken so far.
  double seconds() const { return seconds_; }
  // The whole page as it would be written now.
  std::string page();

 private:
  using Clock = std::chrono::steady_clock;
  void write();
  std::string header() const;
  std::string tiles() const;
  std::string curves() const;
  std::string answers();
  std::string ranked(const char* title, const std::string& text, const std::vector<RankedSample>& samples);
  std::string place_of(int64_t index) const;
  std::string title_of(int64_t index) const;
  const std::string& training_samples();
  std::string configuration() const;

  const RunReportOptions options_;
  Task& task_;
  const DatasetPtr train_, test_;
  const TrainConfig config_;
  RunData run_;
  StepCurve curve_;
  std::shared_ptr<const EvaluationDetails> details_;
  int64_t details_epoch_ = 0;
  std::string state_;                      // empty while the run goes on
  std::map<int64_t, std::string> images_;  // <img> of a test picture by its index, for those on the page
  std::string training_samples_;
  double seconds_ = 0, last_seconds_ = 0;
  Clock::time_point last_written_{};
};

// The fields of a configuration in the order of their table, as texts.
Facts recipe_facts(const TrainConfig& config);
// A table of two columns.
std::string facts_table(const Facts& facts);

}  // namespace vitrail::report
