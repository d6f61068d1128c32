// How answers are written: lines for people, JSON, CSV.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/pictures.h"
#include "train/task/task.h"

namespace vitrail::cli {

struct AnswerFormat {
  int64_t top = 3;
  bool json = false, csv = false, logits = false;
};

class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  virtual void begin() {}
  // `prediction` is null for a picture that could not be read.
  virtual void add(const ReadPicture& picture, const Prediction* prediction) = 0;
  virtual void end() {}
};

// Lines: `FILE: cat 98.1 %, dog 1.2 %`.
// JSON: [{"file", "predictions": [{"class", "index", "probability"}], "warnings"}], of a calibrated model with "unknown", a
// picture that cannot be read as {"file", "error"}; with logits {"class_names": [...], "predictions": [...]} whose entries have
// "logits" too. CSV (RFC 4180) after a line of names: file, class_1, probability_1, ... class_K, probability_K, error; with
// logits file, the name of each class, error. CSV of a multi-label model: file, labels (between ;), the probability of each
// class under its name, error. Error(kValue) for combinations that do not exist, and for CSV or logits of a task that has no
// classes.
std::unique_ptr<AnswerWriter> make_writer(Task& task, const AnswerFormat& format);

// A cell of a CSV file: in quotes where it must be.
std::string csv_cell(const std::string& text);

}  // namespace vitrail::cli
