#include "train/report/run_data.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"

namespace vitrail::report {

namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefixes[] = {"train_", "test_", "clean_"};

// "runs/fashion/" -> "fashion"
std::string folder_name(const std::string& folder) {
  fs::path path = fs::path(folder).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  const std::string name = path.filename().string();
  return name.empty() || name == "." || name == ".." ? folder : name;
}

bool there(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

std::string spaced(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

// A text as it is, any other value as JSON.
Facts facts_of(JsonObject& object, const std::vector<std::string>& without = {}) {
  Facts facts;
  for (const std::string& key : object.keys())
    if (std::find(without.begin(), without.end(), key) == without.end())
      facts.emplace_back(spaced(key), object.is_text(key) ? object.text(key) : object.json_text(key));
  return facts;
}

}  // namespace

void read_description(const std::string& folder, RunData& run) {
  const std::string path = folder + "/run.json";
  if (!there(path)) return;
  const JsonDocument document(read_text_file(path), path);
  JsonObject object(document.root(), path, "", ErrorKind::kData);
  run.about = facts_of(object, {"config", "process"});
  if (object.has("tested_on") && object.is_text("tested_on") && object.text("tested_on") == "validation")
    run.tested = "validation";
  if (!object.has("config")) return;
  JsonObject config(object.value("config"), path, "config", ErrorKind::kData);
  run.recipe = facts_of(config);
}

double RunData::epochs(const MetricsRow& row) const {
  if (curve.empty() || curve.back().step <= 0) return static_cast<double>(row.epoch);
  return static_cast<double>(row.step) * curve.back().epochs / static_cast<double>(curve.back().step);
}

const MetricsRow* RunData::last_with(const std::string& value) const {
  const auto found =
      std::find_if(rows.rbegin(), rows.rend(), [&](const MetricsRow& row) { return row.find(value).has_value(); });
  return found == rows.rend() ? nullptr : &*found;
}

RunData read_run(const std::string& folder) {
  const std::string metrics = folder + "/" + kMetricsFile, curve = folder + "/" + kCurveFile;
  check(there(metrics), ErrorKind::kIo, "report", escaped_path(folder), " holds no ", kMetricsFile,
        ". Hint: name folders that vitrail train wrote.");
  RunData run;
  run.name = folder_name(folder);
  run.rows = read_metrics(metrics);
  check(!run.rows.empty(), ErrorKind::kData, "report", escaped_path(metrics), ": no epoch is done, or it is no log of a run.");
  if (there(curve)) run.curve = StepCurve::parse(read_text_file(curve), curve).points();
  read_description(folder, run);
  return run;
}

std::vector<std::string> score_names(const std::vector<MetricsRow>& rows) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (name != "images" && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const MetricsRow& row : rows)
    for (const auto& entry : row.values)
      for (const std::string prefix : kPrefixes)
        if (entry.first.starts_with(prefix)) add(entry.first.substr(prefix.size()));
  std::stable_partition(names.begin(), names.end(), [](const std::string& name) { return name == "loss"; });
  return names;
}

std::string tested_name(const std::vector<RunData>& runs) {
  std::string name;
  for (const RunData& run : runs) {
    if (name.empty()) name = run.tested;
    if (name != run.tested) return "validation or test";
  }
  return name;
}

std::string capital(std::string word) {
  if (!word.empty() && word[0] >= 'a' && word[0] <= 'z') word[0] = static_cast<char>(word[0] - 'a' + 'A');
  return word;
}

bool is_part(const std::string& score, const std::vector<MetricsRow>& rows) {
  if (score.find("loss") != std::string::npos) return false;
  for (const MetricsRow& row : rows)
    for (const std::string prefix : kPrefixes) {
      const std::optional<double> value = row.find(prefix + score);
      if (value && (*value < 0 || *value > 1)) return false;
    }
  return true;
}

std::string score_label(const std::string& score) {
  if (score.starts_with("top") && score.size() > 3 && score.find_first_not_of("0123456789", 3) == std::string::npos)
    return "Top-" + score.substr(3) + " accuracy";
  for (const auto& [name, label] :
       {std::pair("map", "Mean average precision"), {"micro_f1", "Micro-F1"}, {"macro_f1", "Macro-F1"}})
    if (score == name) return label;
  return capital(spaced(score));
}

std::string lower_label(const std::string& score) {
  std::string label = score_label(score);
  if (!label.empty() && label[0] >= 'A' && label[0] <= 'Z') label[0] = static_cast<char>(label[0] - 'A' + 'a');
  return label;
}

}  // namespace vitrail::report
