#include "train/kfold.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "train/interrupt.h"
#include "train/progress.h"
#include "train/run_folder.h"
#include "train/settings_differences.h"

namespace vitrail {

namespace {

constexpr int64_t kMany = int64_t{1} << 40;

std::string settings_of(const KfoldOptions& o) {
  JsonWriter json;
  json.begin_object()
      .field("folds", o.folds)
      .key("model")
      .raw(models::to_json(o.model))
      .key("recipe")
      .raw(recipe_json(o.config));
  json.field("images", o.data->size()).key("setup").raw(o.about);
  return tidy_json(json.end_object().text(), "settings");
}

std::vector<FoldResult> load(const KfoldOptions& o, const std::string& path, const std::string& settings) {
  if (!std::filesystem::exists(path)) return {};
  std::string recorded;
  std::vector<FoldResult> folds = folds_from_json(read_text_file(path), path, &recorded);
  const std::vector<std::string> different = settings_differences(recorded, settings);
  check(different.empty(), ErrorKind::kValue, "kfold", escaped_path(o.folder),
        " holds a cross-validation with other settings: ", listed(different, 3, 150),
        ". Hint: the same command as before goes on with it; another --out begins a new one.");
  return folds;
}

// Which classes are too small to be in every fold.
void note_small_classes(const KfoldOptions& o, Progress& progress) {
  std::vector<int64_t> sizes(static_cast<size_t>(o.data->num_classes()), 0);
  for (int64_t i = 0; i < o.data->size(); ++i)
    for (const int64_t c : o.data->labels(i)) ++sizes[static_cast<size_t>(c)];
  std::vector<std::string> small;
  for (size_t c = 0; c < sizes.size(); ++c)
    if (sizes[c] < o.folds) small.push_back(o.data->class_names()[c]);
  if (!small.empty()) progress.line("note: with fewer images than folds, not every fold is tested on: " + listed(small));
}

void write_scores(JsonWriter& json, const char* key, const std::vector<ScoreSpread>& spreads, bool deviation) {
  json.key(key).begin_object();
  for (const ScoreSpread& s : spreads) json.field(s.mean.name, deviation ? s.deviation : s.mean.value);
  json.end_object();
}

std::string number(const Score& score, double value) {
  char text[40];
  if (score.unit == ScoreUnit::kPart)
    std::snprintf(text, sizeof text, "%.2f %%", 100 * value);
  else
    std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

}  // namespace

KfoldResult run_kfold(const KfoldOptions& o) {
  const std::vector<Fold> folds = stratified_folds(o.data, o.folds, o.config.seed);
  const RunFolder folder(o.folder, /*replace=*/false);
  const std::string path = folder.file(kKfoldFile), settings = settings_of(o);
  Progress progress(o.quiet);
  KfoldResult result;
  result.folds = load(o, path, settings);
  note_small_classes(o, progress);
  if (!result.folds.empty()) progress.line(cat("going on after ", result.folds.size(), " folds"));
  for (int64_t i = static_cast<int64_t>(result.folds.size()); i < o.folds; ++i) {
    result.signal = interrupt_signal();
    if (result.signal) break;
    const Fold& fold = folds[static_cast<size_t>(i)];
    progress.line(cat("fold ", i + 1, " of ", o.folds, ": ", fold.train->size(), " images to train on, ", fold.test->size(),
                      " left out"));
    PartRun part{folder.file(cat("fold-", i + 1)), o.model, o.config, fold.train, fold.test};
    part.quiet = o.quiet;
    part.memory_limit = o.memory_limit;
    const PartResult run = run_part(part);
    result.signal = run.signal;
    if (!run.complete()) break;
    result.folds.push_back({i + 1, fold.train->size(), fold.test->size(), run.seconds, *run.scores});
    write_file_atomically(path, to_json(result.folds, settings) + "\n");
  }
  return result;
}

std::vector<ScoreSpread> spread_of(const std::vector<FoldResult>& folds) {
  std::vector<ScoreSpread> result;
  if (folds.empty()) return result;
  const double k = static_cast<double>(folds.size());
  for (const Score& first : folds.front().scores) {
    double sum = 0, squares = 0;
    for (const FoldResult& fold : folds) sum += score(fold.scores, first.name);
    ScoreSpread spread{first, 0};
    spread.mean.value = sum / k;
    for (const FoldResult& fold : folds) squares += std::pow(score(fold.scores, first.name) - spread.mean.value, 2);
    if (folds.size() > 1) spread.deviation = std::sqrt(squares / (k - 1));
    result.push_back(spread);
  }
  return result;
}

std::string to_json(const std::vector<FoldResult>& folds, const std::string& settings) {
  JsonWriter json(2);
  json.begin_object().field("tested_on", "the part of the training images that the fold leaves out");
  json.key("folds").begin_array();
  for (const FoldResult& fold : folds) {
    json.begin_object()
        .field("fold", fold.fold)
        .field("train_images", fold.train_images)
        .field("test_images", fold.test_images);
    json.field("seconds", fold.seconds).key("scores").begin_array();
    for (const Score& s : fold.scores) {
      json.begin_object().field("name", s.name).field("label", s.label).field("value", s.value);
      json.field("part", s.unit == ScoreUnit::kPart).field("larger_is_better", s.larger_is_better).end_object();
    }
    json.end_array().end_object();
  }
  json.end_array();
  const std::vector<ScoreSpread> spreads = spread_of(folds);
  write_scores(json, "mean", spreads, false);
  write_scores(json, "standard_deviation", spreads, true);
  return json.key("settings").raw(settings).end_object().text();
}

std::vector<FoldResult> folds_from_json(const std::string& text, const std::string& where, std::string* settings) {
  const JsonDocument document(text, where, ErrorKind::kData);
  JsonObject json(document.root(), where, "", ErrorKind::kData);
  *settings = tidy_json(json.json_text("settings"), where);
  for (const char* key : {"tested_on", "mean", "standard_deviation"}) json.value(key);  // follow from the rest
  std::vector<FoldResult> folds;
  for (JsonObject& entry : json.objects("folds")) {
    FoldResult fold;
    fold.fold = entry.integer("fold", static_cast<int64_t>(folds.size()) + 1, static_cast<int64_t>(folds.size()) + 1);
    fold.train_images = entry.integer("train_images", 1, kMany);
    fold.test_images = entry.integer("test_images", 1, kMany);
    fold.seconds = entry.number("seconds", 0, 1e12);
    for (JsonObject& s : entry.objects("scores")) {
      fold.scores.push_back({s.text("name"), s.text("label"), s.number("value", -1e300, 1e300),
                             s.boolean_or("part", false) ? ScoreUnit::kPart : ScoreUnit::kNumber,
                             s.boolean_or("larger_is_better", true)});
      s.finish();
    }
    entry.finish();
    const auto names = [](const Scores& scores) {
      std::string all;
      for (const Score& s : scores) all += s.name + "\n";
      return all;
    };
    if (!folds.empty() && names(fold.scores) != names(folds.front().scores))
      entry.refuse("scores", "must be the same in every fold");
    folds.push_back(std::move(fold));
  }
  json.finish();
  return folds;
}

std::string kfold_table(const std::vector<FoldResult>& folds) {
  const std::vector<ScoreSpread> spreads = spread_of(folds);
  char cell[64];
  std::string table = " fold    images";
  for (const ScoreSpread& s : spreads) {
    std::snprintf(cell, sizeof cell, "  %10s", escaped(s.mean.label, 10).c_str());
    table += cell;
  }
  table += "   seconds\n";
  for (const FoldResult& fold : folds) {
    std::snprintf(cell, sizeof cell, "%5lld  %8lld", static_cast<long long>(fold.fold),
                  static_cast<long long>(fold.test_images));
    table += cell;
    for (const Score& s : fold.scores) {
      std::snprintf(cell, sizeof cell, "  %10s", number(s, s.value).c_str());
      table += cell;
    }
    std::snprintf(cell, sizeof cell, "  %8.1f\n", fold.seconds);
    table += cell;
  }
  for (const bool deviation : {false, true}) {
    table += deviation ? "standard dev.  " : "mean           ";
    for (const ScoreSpread& s : spreads) {
      std::snprintf(cell, sizeof cell, "  %10s", number(s.mean, deviation ? s.deviation : s.mean.value).c_str());
      table += cell;
    }
    table += "\n";
  }
  return table;
}

}  // namespace vitrail
