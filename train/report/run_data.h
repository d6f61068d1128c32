// The numbers of one run, as its folder holds them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "train/metrics_log.h"
#include "train/report/step_curve.h"

namespace vitrail::report {

constexpr const char* kMetricsFile = "metrics.jsonl";
constexpr const char* kCurveFile = "curve.csv";
constexpr const char* kPageFile = "report.html";

using Facts = std::vector<std::pair<std::string, std::string>>;  // name and value, for people

struct RunData {
  std::string name;
  std::string tested = "test";    // the part of the data that `test_` numbers are of: "validation"
  std::vector<MetricsRow> rows;   // an epoch each
  std::vector<CurvePoint> curve;  // finer; may be empty
  Facts recipe;                   // the fields of the configuration, sorted by name; may be empty
  Facts about;                    // data, model, processor, ...; may be empty

  // The epochs done at the end of this row: an epoch that was left early counts in part.
  double epochs(const MetricsRow& row) const;
  // The last row that has this value.
  const MetricsRow* last_with(const std::string& name) const;
};

// metrics.jsonl, and if they are there curve.csv and run.json. Error(kIo) if `folder` holds no metrics.jsonl, Error(kData) if a
// file is damaged or no epoch is done.
RunData read_run(const std::string& folder);

// run.json of the folder into `recipe` and `about`, if it is there. Error(kData) if it is damaged.
void read_description(const std::string& folder, RunData& run);

// The names of the scores in the rows, without "train_", "test_" and "clean_", in the order of the columns: "loss", "top1".
std::vector<std::string> score_names(const std::vector<MetricsRow>& rows);
// What the tested part of all runs is called: "test" or "validation", or both words where they differ.
std::string tested_name(const std::vector<RunData>& runs);
// With a capital letter in front.
std::string capital(std::string word);
// Whether a score is a part of a whole, shown in percent: no loss, and all its values lie in [0, 1].
bool is_part(const std::string& score, const std::vector<MetricsRow>& rows);
// "top1" -> "Top-1 accuracy"; of others underscores become spaces.
std::string score_label(const std::string& score);
// The same within a sentence: "top-1 accuracy".
std::string lower_label(const std::string& score);

}  // namespace vitrail::report
