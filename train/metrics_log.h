// The log of a run: a row of numbers per epoch, as lines of JSON (metrics.jsonl) and as a table (metrics.csv).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log_file.h"

namespace vitrail {

struct EpochReport;

// What is known of one epoch, in the order of the columns: "train_loss", "train_top1", "lr", ..., "test_top1".
struct MetricsRow {
  int64_t epoch = 0;  // from 1
  int64_t step = 0;   // updates done at its end
  std::vector<std::pair<std::string, double>> values{};

  // The value of that name; nothing if the row has none.
  std::optional<double> find(const std::string& name) const;
};

MetricsRow metrics_row(const EpochReport& report);
// One line of JSON. What is not finite is written as "NaN", "Infinity" or "-Infinity": null would leave open whether a number
// is missing or broken.
std::string to_json_line(const MetricsRow& row);

// The rows of a metrics.jsonl, epochs rising. Lines that are no row (half a line of a killed run) are left out, and `damaged`
// is set. A row of an epoch that is not above the one before replaces that one and all later ones. Error(kIo) if the file
// cannot be read.
std::vector<MetricsRow> read_metrics(const std::string& path, bool* damaged = nullptr);
// Appends a row after removing those of the same and of later epochs.
void put_row(std::vector<MetricsRow>& rows, MetricsRow row);
// A line of column names, then one per row; a number that a row does not have is an empty cell.
std::string metrics_csv(const std::vector<MetricsRow>& rows);

// Why the training score of an epoch is below that of its test, if it is: measured with augmentation and dropout while the
// weights change. With the score of the same images as they are, where that was measured. "" if training is not below.
std::string gap_note(const EpochReport& report);

// Writes both files. A row is appended; only where the file holds rows of the same or a later epoch (a resumed run does them
// again, a new run replaces another), or a new column appears in the table, the file is rewritten, atomically. Every row has
// been given to the system when append() returns.
class MetricsLog {
 public:
  // `path` is that of the .jsonl file; the table lies beside it as .csv. Makes the files if they are missing. An empty path:
  // nothing is written. Error(kIo) if one cannot be opened, is a link, or is no regular file.
  explicit MetricsLog(const std::string& path);

  // Seconds that the rows of the file say up to this update; 0 if there are none.
  double seconds_until(int64_t step) const;
  // Error(kIo) if the row cannot be written whole: a full disk is not silence.
  void append(const EpochReport& report);

 private:
  void rewrite(std::optional<LogFile>& file, const std::string& text);

  std::optional<LogFile> json_, table_;
  std::vector<MetricsRow> rows_;  // those of the file
  bool damaged_ = false;          // the file holds more than rows_
  bool table_written_ = false;    // by this process
};

}  // namespace vitrail
