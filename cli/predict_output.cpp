#include "cli/predict_output.h"

#include <algorithm>
#include <cstdio>

#include "base/json_writer.h"
#include "base/text.h"
#include "tensor/tensor.h"
#include "train/task/classification.h"
#include "train/task/multi_label.h"

namespace vitrail::cli {
namespace {

class TextWriter final : public AnswerWriter {
 public:
  TextWriter(Task& task, int64_t top) : task_(task), top_(top) {}
  void add(const ReadPicture& picture, const Prediction* prediction) override {
    if (prediction) std::printf("%s: %s\n", escaped_path(picture.file).c_str(), task_.to_text(*prediction, top_).c_str());
  }

 private:
  Task& task_;
  int64_t top_;
};

class JsonAnswers final : public AnswerWriter {
 public:
  JsonAnswers(Task& task, const AnswerFormat& format) : task_(task), format_(format), json_(2) {}
  void begin() override {
    if (format_.logits) json_.begin_object().field("class_names", task_.card().class_names).key("predictions");
    json_.begin_array();
  }
  void add(const ReadPicture& picture, const Prediction* prediction) override {
    json_.begin_object().field("file", picture.file);
    if (prediction) {
      json_.key("predictions");
      task_.to_json(json_, *prediction, format_.top);
      if (const auto* classes = dynamic_cast<const ClassificationTask*>(&task_); classes && classes->options().calibration)
        json_.field("unknown", classes->unknown(*prediction));
      if (format_.logits) json_.field("logits", to_vector<double>(prediction->logits));
      json_.field("warnings", picture.warnings);
    } else {
      json_.field("error", std::string(picture.error ? picture.error->what() : ""));
    }
    json_.end_object();
  }
  void end() override {
    json_.end_array();
    if (format_.logits) json_.end_object();
    std::printf("%s\n", json_.text().c_str());
  }

 private:
  Task& task_;
  AnswerFormat format_;
  JsonWriter json_;
};

// A number behind a comma.
std::string csv_number(float x) {
  char text[32];
  std::snprintf(text, sizeof text, ",%.9g", static_cast<double>(x));  // reads back to the same bits
  return text;
}

class CsvAnswers final : public AnswerWriter {
 public:
  CsvAnswers(ClassificationTask& task, const AnswerFormat& format)
      : task_(task), names_(task.card().class_names), logits_(format.logits) {
    calibrated_ = !logits_ && task.options().calibration.has_value();
    columns_ = logits_ ? names_.size() : static_cast<size_t>(std::min(format.top, task.model().num_classes()));
  }
  void begin() override {
    std::string line = "file";
    for (size_t i = 0; i < columns_; ++i)
      line += logits_ ? "," + csv_cell(names_[i]) : cat(",class_", i + 1, ",probability_", i + 1);
    std::printf("%s%s,error\n", line.c_str(), calibrated_ ? ",unknown" : "");
  }
  void add(const ReadPicture& picture, const Prediction* prediction) override {
    std::string line = csv_cell(picture.file);
    if (!prediction) {
      line.append(logits_ ? columns_ : 2 * columns_, ',');
    } else if (logits_) {
      for (const float x : to_vector<float>(prediction->logits)) line += csv_number(x);
    } else {
      for (const auto& [index, probability] : task_.answers(*prediction, static_cast<int64_t>(columns_)))
        line += "," + csv_cell(names_[static_cast<size_t>(index)]) + csv_number(static_cast<float>(probability));
    }
    if (calibrated_) line += !prediction ? "," : task_.unknown(*prediction) ? ",1" : ",0";
    std::printf("%s,%s\n", line.c_str(), picture.error ? csv_cell(picture.error->what()).c_str() : "");
  }

 private:
  ClassificationTask& task_;
  std::vector<std::string> names_;
  bool logits_, calibrated_ = false;
  size_t columns_ = 0;
};

// Any number of labels: what is above the threshold in one cell, and the probability of each class.
class CsvLabels final : public AnswerWriter {
 public:
  CsvLabels(MultiLabelTask& task, const AnswerFormat& format) : task_(task), names_(task.card().class_names), format_(format) {}
  void begin() override {
    std::string line = format_.logits ? "file" : "file,labels";
    for (const std::string& name : names_) line += "," + csv_cell(name);
    std::printf("%s,error\n", line.c_str());
  }
  void add(const ReadPicture& picture, const Prediction* prediction) override {
    std::string line = csv_cell(picture.file);
    if (!prediction) {
      line.append(names_.size() + (format_.logits ? 0 : 1), ',');
    } else if (format_.logits) {
      for (const float x : to_vector<float>(prediction->logits)) line += csv_number(x);
    } else {
      std::string labels;
      for (const auto& [index, probability] : task_.answers(*prediction, format_.top))
        labels += (labels.empty() ? "" : ";") + names_[static_cast<size_t>(index)];
      line += "," + csv_cell(labels);
      for (const double p : task_.probabilities(*prediction)) line += csv_number(static_cast<float>(p));
    }
    std::printf("%s,%s\n", line.c_str(), picture.error ? csv_cell(picture.error->what()).c_str() : "");
  }

 private:
  MultiLabelTask& task_;
  std::vector<std::string> names_;
  AnswerFormat format_;
};

}  // namespace

std::string csv_cell(const std::string& text) {
  // Control bytes as \xNN: a cell may be shown on a terminal, and a file's name may hold any bytes.
  const std::string safe = escaped(text, 4 * text.size());
  if (safe.find_first_of(",\"") == std::string::npos) return safe;
  std::string quoted = "\"";
  for (const char c : safe) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

std::unique_ptr<AnswerWriter> make_writer(Task& task, const AnswerFormat& format) {
  check(!format.json || !format.csv, ErrorKind::kValue, "predict", "--json and --csv exclude each other.");
  check(!format.logits || format.json || format.csv, ErrorKind::kValue, "predict",
        "--logits needs a form that has room for them. Hint: --json or --csv.");
  auto* classes = dynamic_cast<ClassificationTask*>(&task);
  auto* labels = dynamic_cast<MultiLabelTask*>(&task);
  check(classes || labels || (!format.csv && !format.logits), ErrorKind::kValue, "predict",
        "--csv and --logits need a model for ", kClassification, ": its task is ", escaped(task.name()), ".");
  if (format.csv && labels) return std::make_unique<CsvLabels>(*labels, format);
  if (format.csv) return std::make_unique<CsvAnswers>(*classes, format);
  if (format.json) return std::make_unique<JsonAnswers>(task, format);
  return std::make_unique<TextWriter>(task, format.top);
}

}  // namespace vitrail::cli
