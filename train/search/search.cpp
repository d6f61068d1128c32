#include "train/search/search.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>

#include "base/file.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "train/interrupt.h"
#include "train/progress.h"
#include "train/run_folder.h"
#include "train/settings_differences.h"

namespace vitrail::search {

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kHopeless = 20;  // trials that fail, with none that does not

void write(JsonWriter& json, const Dimension& d) {
  if (d.kind == DimensionKind::kChoice) {
    json.field(d.key, d.choices);
    return;
  }
  const char* name = d.kind == DimensionKind::kUniform ? "uniform" : d.kind == DimensionKind::kLog ? "log" : "int";
  json.key(d.key).begin_object().field(name, std::vector<double>{d.low, d.high}).end_object();
}

// All that the results depend on. Minutes and the number of trials only say how many of them there are.
std::string settings_of(const SearchOptions& o) {
  JsonWriter json;
  json.begin_object().field("method", o.halving ? "asha" : "random").field("eta", o.eta).field("min_epochs", o.min_epochs);
  json.key("space").begin_object();
  for (const Dimension& d : o.space) write(json, d);
  json.end_object().key("recipe").raw(recipe_json(o.fixed)).key("setup").raw(o.about);
  return tidy_json(json.end_object().text(), "settings");
}

void check_options(const SearchOptions& o) {
  check(o.trials > 0 || o.minutes > 0, ErrorKind::kValue, "search", "needs an end. Hint: --minutes 30, or --trials 50.");
  check(std::isfinite(o.minutes) && o.minutes >= 0, ErrorKind::kValue, "search",
        "minutes must be a number of at least 0: it is ", o.minutes, ".");
  check(o.fixed.max_steps == 0, ErrorKind::kValue, "search", "max_steps goes with no search: it is ", o.fixed.max_steps,
        ". Hint: --epochs is the length of a trial.");
}

class Search {
 public:
  Search(const SearchOptions& options, const RunTrial& run)
      : options_(options),
        run_(run),
        folder_(options.folder, /*replace=*/false),
        rungs_(options.halving ? rung_epochs(options.min_epochs, options.fixed.epochs, options.eta)
                               : std::vector<int64_t>{options.fixed.epochs}),
        asha_(rungs_.size(), options.eta, options.trials),
        progress_(options.quiet) {
    load();
  }

  SearchResult run() {
    SearchResult result;
    while (const std::optional<Job> job = asha_.next()) {
      result.signal = interrupt_signal();
      if (result.signal || time_is_up() || !run_job(*job, result)) break;
    }
    result.complete = !ledger_.unfinished && !asha_.next();
    save();
    result.ledger = std::move(ledger_);
    return result;
  }

 private:
  void load() {
    ledger_.settings = settings_of(options_);
    const std::string path = folder_.file(kLedgerFile);
    if (!std::filesystem::exists(path)) return;
    Ledger found = ledger_from_json(read_text_file(path, int64_t{1} << 28), path);
    const std::vector<std::string> different = settings_differences(found.settings, ledger_.settings);
    check(different.empty(), ErrorKind::kValue, "search", escaped_path(options_.folder),
          " holds a search with other settings: ", listed(different, 3, 150),
          ". Hint: the same command as before goes on with it; another --out begins a new one.");
    ledger_ = std::move(found);
    for (size_t i = 0; i < ledger_.trials.size(); ++i)
      check(ledger_.trials[i] == draw(options_.space, options_.fixed.seed, static_cast<int64_t>(i)), ErrorKind::kData, "search",
            escaped_path(path), ": the values of trial ", i, " are not those that the seed draws.");
    for (const Result& r : ledger_.results) {
      check(r.job.rung < rungs_.size(), ErrorKind::kData, "search", escaped_path(path), ": there is no rung ", r.job.rung, ".");
      asha_.report(r.job, signed_score(r.score));
    }
    if (!ledger_.results.empty()) progress_.line(cat("going on after ", ledger_.results.size(), " results"));
  }

  double signed_score(double score) const { return ledger_.metric.larger_is_better ? score : -score; }

  bool time_is_up() const {
    return options_.minutes > 0 && std::chrono::duration<double>(Clock::now() - start_).count() >= 60 * options_.minutes;
  }

  // False if it was stopped before its end.
  bool run_job(const Job& job, SearchResult& result) {
    const auto number = static_cast<size_t>(job.trial);
    asha_.begin(job);
    while (ledger_.trials.size() <= number)
      ledger_.trials.push_back(draw(options_.space, options_.fixed.seed, static_cast<int64_t>(ledger_.trials.size())));
    const bool again = ledger_.unfinished == job;
    Result r{job, rungs_[job.rung], std::numeric_limits<double>::quiet_NaN(), again ? ledger_.unfinished_seconds : 0.0};
    std::optional<Score> score;
    const Clock::time_point begin = Clock::now();
    if (const std::optional<TrainConfig> config = config_of(ledger_.trials[number], r)) {
      try {
        const TrialOutcome outcome =
            run_(job.trial, trial_folder(job.trial), *config, r.epochs, [this] { return time_is_up(); });
        score = outcome.score;
        result.signal = outcome.signal;
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::kNumeric && error.kind() != ErrorKind::kMemory) throw;
        r.failure = error.what();
      }
    }
    r.seconds += std::chrono::duration<double>(Clock::now() - begin).count();
    if (!score && !r.failed()) {
      ledger_.unfinished = job;
      ledger_.unfinished_seconds = r.seconds;
      return false;
    }
    if (score) ledger_.metric = *score, ledger_.metric.value = 0, r.score = score->value;
    record(r);
    return true;
  }

  // Nothing if the values do not go together: such a trial has failed before it began.
  std::optional<TrainConfig> config_of(const Values& values, Result& r) const {
    try {
      TrainConfig config = with_values(options_.fixed, values);
      config.eval_every = 1;
      return config;
    } catch (const Error& error) {
      r.failure = error.what();
      return std::nullopt;
    }
  }

  void record(const Result& r) {
    asha_.report(r.job, signed_score(r.score));
    ledger_.unfinished.reset();
    ledger_.results.push_back(r);
    save();
    progress_.line(
        cat("trial ", r.job.trial, ", ", r.epochs, r.epochs == 1 ? " epoch: " : " epochs: ",
            r.failed() ? "failed: " + escaped(r.failure, 150) : ledger_.metric.label + " " + shown_score(ledger_, r.score),
            "  (", escaped(describe(ledger_.trials[static_cast<size_t>(r.job.trial)]), 300), ")"));
    const bool hopeless = ledger_.results.size() >= kHopeless && std::all_of(ledger_.results.begin(), ledger_.results.end(),
                                                                             [](const Result& x) { return x.failed(); });
    check(!hopeless, ErrorKind::kValue, "search", "the first ", ledger_.results.size(),
          " trials have all failed; the last one: ", escaped(r.failure, 120));
  }

  std::string trial_folder(int64_t trial) const {
    char name[32];
    std::snprintf(name, sizeof name, "trials/%04lld", static_cast<long long>(trial));
    return folder_.file(name);
  }

  void save() const {
    write_file_atomically(folder_.file(kLedgerFile), to_json(ledger_) + "\n");
    write_file_atomically(folder_.file(kPageFile), search_page(ledger_));
    const std::vector<Standing> standings = ranking(ledger_);
    if (standings.empty() || !standings.front().score || !standings.front().failure.empty()) return;
    const Values& best = ledger_.trials[static_cast<size_t>(standings.front().trial)];
    write_file_atomically(folder_.file(kBestRecipe), recipe_json(with_values(options_.fixed, best)) + "\n");
  }

  const SearchOptions& options_;
  const RunTrial& run_;
  const Clock::time_point start_ = Clock::now();
  RunFolder folder_;
  std::vector<int64_t> rungs_;
  Asha asha_;
  Progress progress_;
  Ledger ledger_;
};

}  // namespace

SearchResult run_search(const SearchOptions& options, const RunTrial& run) {
  check_options(options);
  return Search(options, run).run();
}

}  // namespace vitrail::search
