#include "train/search/ledger.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <set>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/text.h"

namespace vitrail::search {

namespace {

constexpr int64_t kFormat = 1;
constexpr int64_t kMany = int64_t{1} << 40;

void write(JsonWriter& json, const Result& r) {
  json.begin_object().field("trial", r.job.trial).field("rung", r.job.rung).field("epochs", r.epochs);
  json.field("score", r.score).field("seconds", r.seconds);
  if (r.failed()) json.field("failure", r.failure);
  json.end_object();
}

Job read_job(JsonObject& json) {
  const int64_t trial = json.integer("trial", 0, kMany);
  return {trial, static_cast<size_t>(json.integer("rung", 0, 64))};
}

Result read_result(JsonObject json) {
  Result r;
  r.job = read_job(json);
  r.epochs = json.integer("epochs", 0, kMany);
  r.seconds = json.number("seconds", 0, 1e12);
  r.failure = json.text_or("failure", "");
  const bool null = json.is_null("score");
  if (null) json.value("score");
  r.score = null ? std::numeric_limits<double>::quiet_NaN() : json.number("score", -1e300, 1e300);
  if (null != r.failed()) json.refuse("score", "must be null where there is a failure, and only there");
  json.finish();
  return r;
}

Score read_metric(JsonObject json) {
  Score metric;
  metric.name = json.text("name");
  metric.label = json.text("label");
  metric.unit = json.boolean_or("part", false) ? ScoreUnit::kPart : ScoreUnit::kNumber;
  metric.larger_is_better = json.boolean_or("larger_is_better", true);
  json.finish();
  return metric;
}

// All trials have the same fields; every result belongs to a trial, and follows that of the rung below.
void check_results(const Ledger& ledger, JsonObject& json) {
  const auto keys_of = [](const Values& values) {
    std::vector<std::string> keys;
    for (const auto& entry : values) keys.push_back(entry.first);
    return keys;
  };
  for (const Values& values : ledger.trials)
    if (keys_of(values) != keys_of(ledger.trials.front())) json.refuse("trials", "must all have the same fields");
  std::set<std::pair<int64_t, size_t>> seen;
  for (const Result& r : ledger.results) {
    const bool known = r.job.trial < static_cast<int64_t>(ledger.trials.size());
    const bool follows = r.job.rung == 0 || seen.contains({r.job.trial, r.job.rung - 1});
    if (!known || !follows || !seen.insert({r.job.trial, r.job.rung}).second)
      json.refuse("results", cat("do not fit together: trial ", r.job.trial, ", rung ", r.job.rung));
  }
  if (!ledger.unfinished) return;
  const auto& [trial, rung] = *ledger.unfinished;
  const bool next = trial < static_cast<int64_t>(ledger.trials.size()) && !seen.contains({trial, rung}) &&
                    (rung == 0 || seen.contains({trial, rung - 1}));
  if (!next) json.refuse("unfinished", cat("does not follow from the results: trial ", trial, ", rung ", rung));
}

}  // namespace

std::string to_json(const Ledger& ledger) {
  JsonWriter json(2);
  json.begin_object().field("format", kFormat).key("settings").raw(ledger.settings);
  const Score& m = ledger.metric;
  json.key("metric").begin_object().field("name", m.name).field("label", m.label).field("part", m.unit == ScoreUnit::kPart);
  json.field("larger_is_better", m.larger_is_better).end_object();
  json.key("trials").begin_array();
  for (const Values& values : ledger.trials) {
    json.begin_object();
    for (const auto& [key, value] : values) json.field(key, value);
    json.end_object();
  }
  json.end_array().key("results").begin_array();
  for (const Result& r : ledger.results) write(json, r);
  json.end_array();
  if (ledger.unfinished) {
    json.key("unfinished").begin_object().field("trial", ledger.unfinished->trial).field("rung", ledger.unfinished->rung);
    json.field("seconds", ledger.unfinished_seconds).end_object();
  }
  return json.end_object().text();
}

Ledger ledger_from_json(const std::string& text, const std::string& where) {
  const JsonDocument document(text, where, ErrorKind::kData);
  JsonObject json(document.root(), where, "", ErrorKind::kData);
  json.integer("format", kFormat, kFormat);
  Ledger ledger;
  ledger.settings = tidy_json(json.json_text("settings"), where);
  ledger.metric = read_metric(JsonObject(json.value("metric"), where, "metric", ErrorKind::kData));
  for (JsonObject& trial : json.objects("trials")) {
    Values values;
    for (const std::string& key : trial.keys()) values.emplace_back(key, trial.text(key));
    ledger.trials.push_back(std::move(values));
  }
  for (JsonObject& result : json.objects("results")) ledger.results.push_back(read_result(std::move(result)));
  if (json.has("unfinished")) {
    JsonObject unfinished(json.value("unfinished"), where, "unfinished", ErrorKind::kData);
    ledger.unfinished = read_job(unfinished);
    ledger.unfinished_seconds = unfinished.number("seconds", 0, 1e12);
    unfinished.finish();
  }
  json.finish();
  check_results(ledger, json);
  return ledger;
}

std::vector<Standing> ranking(const Ledger& ledger) {
  std::map<int64_t, Standing> by_trial;
  for (const Result& r : ledger.results) {
    Standing& s = by_trial[r.job.trial];
    s.trial = r.job.trial;
    s.seconds += r.seconds;
    s.failure = r.failure;
    if (!r.failed()) s.score = r.score, s.epochs = r.epochs;
  }
  std::vector<Standing> result;
  for (const auto& entry : by_trial) result.push_back(entry.second);
  const double sign = ledger.metric.larger_is_better ? 1 : -1;
  std::stable_sort(result.begin(), result.end(), [&](const Standing& a, const Standing& b) {
    // A trial that broke down later is no configuration to recommend, whatever it had reached.
    const bool a_good = a.score && a.failure.empty(), b_good = b.score && b.failure.empty();
    if (a_good != b_good) return a_good;
    if (!a_good) return false;
    return *a.score != *b.score ? sign * *a.score > sign * *b.score : a.epochs > b.epochs;
  });
  return result;
}

std::string shown_score(const Ledger& ledger, double score) {
  char text[40];
  if (ledger.metric.unit == ScoreUnit::kPart)
    std::snprintf(text, sizeof text, "%.2f %%", 100 * score);
  else
    std::snprintf(text, sizeof text, "%.4f", score);
  return text;
}

std::string trust_in_scores(const Ledger& ledger, int64_t pictures) {
  const std::vector<Standing> standings = ranking(ledger);
  if (pictures < 1 || standings.empty() || !standings.front().score || !standings.front().failure.empty()) return "";
  const std::string source = cat("each score comes from ", pictures, pictures == 1 ? " picture" : " pictures");
  // The formula is that of a part of the pictures that are right; a mean over classes has another.
  const bool of_pictures = ledger.metric.name.starts_with("top") || ledger.metric.name == "exact_match";
  if (ledger.metric.unit != ScoreUnit::kPart || !of_pictures) return source + ".";
  const double best = *standings.front().score, n = static_cast<double>(pictures);
  // Of a share near 0 or 1 the plain formula gives next to nothing; one picture more or less is always in doubt.
  const double error = std::max(std::sqrt(best * (1 - best) / n), 1 / n);
  const auto near = std::count_if(standings.begin() + 1, standings.end(), [&](const Standing& s) {
    return s.score && s.failure.empty() && std::abs(*s.score - best) <= error;
  });
  char text[48];
  std::snprintf(text, sizeof text, "%.1f points", 100 * error);
  const std::string known = cat(source, ": a standard error of ", text);
  if (near == 0) return known + ".";
  return cat(known, ". ", near, near == 1 ? " other trial lies" : " other trials lie",
             " within it of the best, so chance may have put them in this order.");
}

std::string ranking_table(const Ledger& ledger, size_t most) {
  const std::vector<Standing> standings = ranking(ledger);
  char line[128];
  std::string table;
  std::snprintf(line, sizeof line, "%4s  %5s  %10s  %6s  %8s  %s\n", "rank", "trial", escaped(ledger.metric.label, 10).c_str(),
                "epochs", "seconds", "values");
  table += line;
  const size_t rows = most == 0 ? standings.size() : std::min(most, standings.size());
  for (size_t i = 0; i < rows; ++i) {
    const Standing& s = standings[i];
    const std::string score = s.failure.empty() && s.score ? shown_score(ledger, *s.score) : "failed";
    std::snprintf(line, sizeof line, "%4zu  %5lld  %10s  %6lld  %8.1f  ", i + 1, static_cast<long long>(s.trial), score.c_str(),
                  static_cast<long long>(s.epochs), s.seconds);
    table += line + escaped(describe(ledger.trials[static_cast<size_t>(s.trial)]), 400);
    table += s.failure.empty() ? "\n" : "  (" + escaped(s.failure, 120) + ")\n";
  }
  if (rows < standings.size()) table += cat("      and ", standings.size() - rows, " more\n");
  return table;
}

}  // namespace vitrail::search
