#include "train/metrics_log.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/file.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "train/printable.h"
#include "train/progress.h"
#include "train/trainer.h"

namespace vitrail {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kMaxFile = int64_t{1} << 30;

const char* name_of_value(double x) { return std::isnan(x) ? "NaN" : x > 0 ? "Infinity" : "-Infinity"; }

// A count of images is written without a fraction.
bool is_count(const std::string& name, double value) { return name.ends_with("_images") && std::abs(value) < 1e15; }

std::string cell(const std::string& name, double value) {
  if (!std::isfinite(value)) return name_of_value(value);
  if (is_count(name, value)) return std::to_string(std::llround(value));
  return JsonWriter().value(value).text();
}

// RFC 4180: quotes where a comma, a quote or a line end stands.
std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? std::string("\"\"") : std::string(1, c);
  return result + '"';
}

std::vector<std::string> columns(const std::vector<MetricsRow>& rows) {
  std::vector<std::string> names;
  for (const MetricsRow& row : rows)
    for (const auto& [name, value] : row.values)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

std::string csv_line(const MetricsRow& row, const std::vector<std::string>& names) {
  std::string line = cat(row.epoch, ",", row.step);
  for (const std::string& name : names) {
    const std::optional<double> value = row.find(name);
    line += "," + (value ? cell(name, *value) : "");
  }
  return line;
}

MetricsRow parse_row(const std::string& line) {
  const JsonDocument document(line, "metrics");
  JsonObject object(document.root(), "metrics", "", ErrorKind::kData);
  MetricsRow row{object.integer("epoch", 1, INT64_MAX), object.integer("step", 0, INT64_MAX)};
  for (const std::string& key : object.keys()) {
    if (key == "epoch" || key == "step") continue;
    if (!object.is_text(key)) {
      row.values.emplace_back(key, object.number(key, -kInfinity, kInfinity));
      continue;
    }
    const std::string text = object.text(key);
    if (text != "NaN" && text != "Infinity" && text != "-Infinity") object.refuse(key, "must be a number");
    row.values.emplace_back(key, text == "NaN"    ? std::numeric_limits<double>::quiet_NaN()
                                 : text[0] == '-' ? -kInfinity
                                                  : kInfinity);
  }
  return row;
}

// A file read back has its names in alphabetical order: they go into the order of the row that this program writes.
void reorder(std::vector<MetricsRow>& rows, const MetricsRow& like) {
  for (MetricsRow& row : rows) {
    std::vector<std::pair<std::string, double>> values;
    for (const auto& [name, unused] : like.values)
      if (const std::optional<double> value = row.find(name)) values.emplace_back(name, *value);
    for (const auto& entry : row.values)
      if (!like.find(entry.first)) values.push_back(entry);
    row.values = std::move(values);
  }
}

// Removes the rows of this epoch and of later ones.
void keep_before(std::vector<MetricsRow>& rows, int64_t epoch) {
  while (!rows.empty() && rows.back().epoch >= epoch) rows.pop_back();
}

}  // namespace

std::optional<double> MetricsRow::find(const std::string& name) const {
  for (const auto& [key, value] : values)
    if (key == name) return value;
  return std::nullopt;
}

MetricsRow metrics_row(const EpochReport& r) {
  MetricsRow row{r.epoch, r.step};
  const auto add = [&](const std::string& name, double value) { row.values.emplace_back(name, value); };
  const auto add_all = [&](const std::string& prefix, const std::optional<Evaluation>& evaluation) {
    if (!evaluation) return;
    for (const Score& entry : evaluation->scores) add(prefix + entry.name, entry.value);
    add(prefix + "images", static_cast<double>(evaluation->images));
  };
  add("train_loss", r.train_loss);
  for (const Score& entry : r.train) add("train_" + entry.name, entry.value);
  add("lr", r.lr);
  add("grad_norm", r.grad_norm);
  add("seconds", r.seconds);
  add("images_per_second", r.images_per_second);
  add_all("test_", r.test);
  add_all("clean_", r.clean);
  return row;
}

std::string to_json_line(const MetricsRow& row) {
  JsonWriter json;
  json.begin_object().field("epoch", row.epoch).field("step", row.step);
  for (const auto& [name, value] : row.values) {
    if (!std::isfinite(value)) {
      json.field(name, name_of_value(value));
    } else if (is_count(name, value)) {
      json.field(name, static_cast<int64_t>(std::llround(value)));
    } else {
      json.field(name, value);
    }
  }
  return json.end_object().text();
}

std::string to_json_line(const EpochReport& r) { return to_json_line(metrics_row(r)); }

std::vector<MetricsRow> read_metrics(const std::string& path, bool* damaged) {
  const std::string text = read_text_file(path, kMaxFile);
  std::vector<MetricsRow> rows;
  if (damaged) *damaged = false;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.empty()) continue;
    try {
      MetricsRow row = parse_row(line);
      const size_t before = rows.size();
      keep_before(rows, row.epoch);
      if (damaged && rows.size() < before) *damaged = true;
      rows.push_back(std::move(row));
    } catch (const Error&) {
      if (damaged) *damaged = true;
    }
  }
  return rows;
}

void put_row(std::vector<MetricsRow>& rows, MetricsRow row) {
  keep_before(rows, row.epoch);
  rows.push_back(std::move(row));
}

std::string metrics_csv(const std::vector<MetricsRow>& rows) {
  const std::vector<std::string> names = columns(rows);
  std::string text = "epoch,step";
  for (const std::string& name : names) text += "," + csv_text(name);
  text += "\n";
  for (const MetricsRow& row : rows) text += csv_line(row, names) + "\n";
  return text;
}

MetricsLog::MetricsLog(const std::string& path) {
  if (path.empty()) return;
  json_.emplace(path);
  table_.emplace(std::filesystem::path(path).replace_extension(".csv").string());
  rows_ = read_metrics(path, &damaged_);
}

double MetricsLog::seconds_until(int64_t step) const {
  double seconds = 0;
  for (const MetricsRow& row : rows_)
    if (row.step <= step) seconds = row.find("seconds").value_or(seconds);
  return seconds;
}

void MetricsLog::append(const EpochReport& report) {
  if (!json_) return;
  const size_t held = rows_.size();
  keep_before(rows_, report.epoch);
  const bool grows = held == rows_.size() && !damaged_;
  const std::vector<std::string> names = columns(rows_);
  rows_.push_back(metrics_row(report));
  if (!table_written_) reorder(rows_, MetricsRow(rows_.back()));
  damaged_ = false;
  if (grows) {
    json_->append(to_json_line(rows_.back()));
  } else {
    std::string text;
    for (const MetricsRow& row : rows_) text += to_json_line(row) + "\n";
    rewrite(json_, text);
  }
  // Before the first row of this process the table may be anything: half a line, or of other rows than the lines.
  if (grows && table_written_ && columns(rows_) == names) {
    table_->append(csv_line(rows_.back(), names));
  } else {
    rewrite(table_, metrics_csv(rows_));
  }
  table_written_ = true;
}

void MetricsLog::rewrite(std::optional<LogFile>& file, const std::string& text) {
  const std::string path = file->path();
  write_file_atomically(path, text);
  file.reset();
  file.emplace(path);
}

std::string gap_note(const EpochReport& r) {
  if (!r.test) return "";
  const auto find = [](const Scores& scores, const std::string& name) {
    return std::find_if(scores.begin(), scores.end(), [&](const Score& score) { return score.name == name; });
  };
  for (const Score& train : r.train) {
    const auto test = find(r.test->scores, train.name);
    if (test == r.test->scores.end() || !train.larger_is_better || !(train.value < test->value)) continue;
    std::string clean;
    if (r.clean && find(r.clean->scores, train.name) != r.clean->scores.end())
      clean = cat("; on ", r.clean->images, " of the same images as they are (clean) it is ",
                  format_scores({*find(r.clean->scores, train.name)}));
    return cat("training ", format_scores({train}), " is below ", r.test->part, " ", format_scores({*test}),
               ": it is measured while the weights change, with the augmentation and dropout of the run", clean, ".");
  }
  return "";
}

std::string format_epoch(const EpochReport& r, int64_t epochs) {
  char head[96], rest[96];
  std::snprintf(head, sizeof head, "epoch %lld/%lld  loss %.3f", static_cast<long long>(r.epoch),
                static_cast<long long>(epochs), printable(r.train_loss));
  char speed[32] = "";  // nothing was trained if a resumed run makes the test that its epoch still owed
  if (r.images_per_second > 0) std::snprintf(speed, sizeof speed, "  %.0f images/s", printable(r.images_per_second));
  std::snprintf(rest, sizeof rest, "  grad %.3g%s  %s", printable(r.grad_norm), speed, format_duration(r.seconds).c_str());
  const auto named = [](const char* name, const std::string& scores) { return scores.empty() ? "" : cat("  ", name, scores); };
  const auto first = [](const Scores& scores) { return scores.empty() ? Scores{} : Scores{scores.front()}; };
  return cat(head, named("", format_scores(r.train)), named("clean ", r.clean ? format_scores(first(r.clean->scores)) : ""),
             r.test ? named("", cat(r.test->part, " ", format_scores(r.test->scores, 4))) : "", rest);
}

}  // namespace vitrail
