// A search with trials that cost nothing: what is run, what is written, and that a stopped search ends where an undisturbed one
// does.
#include "train/search/search.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "base/file.h"
#include "base/json.h"
#include "tests/support/scratch_folder.h"
#include "train/run_folder.h"

using namespace vitrail;
using namespace vitrail::search;
using namespace vitrail::testing;

namespace {

SearchOptions options(const std::string& folder, int64_t trials) {
  SearchOptions o;
  o.folder = folder;
  o.fixed.epochs = 9;
  o.space = read_space(R"({"lr": {"log": [1e-4, 1e-2]}, "optimizer": ["adamw", "lion"]})", "space", o.fixed);
  o.trials = trials;
  o.quiet = true;
  return o;
}

// Best at a rate of 0.002, a little better with every epoch.
double quality(const TrainConfig& c, int64_t epochs) {
  return 1 - 0.2 * std::abs(std::log10(c.lr / 0.002)) - (c.optimizer == "lion" ? 0.02 : 0) - 0.1 / static_cast<double>(epochs);
}

// Remembers what was run; ends by a signal in call number `stop_at`.
struct Trials {
  int64_t calls = 0, stop_at = -1;
  std::vector<std::pair<int64_t, int64_t>> run{};  // trial, epochs
  std::string name = "top1";
  TrialOutcome operator()(int64_t number, const std::string& folder, const TrainConfig& config, int64_t epochs) {
    CHECK(config.epochs == 9);  // the schedule is that of the whole run
    CHECK(config.eval_every == 1);
    CHECK(folder.ends_with(cat("/trials/000", number % 10)) == (number < 10));
    if (calls++ == stop_at) return {std::nullopt, SIGINT};
    run.emplace_back(number, epochs);
    return {Score{name, "top-1", quality(config, epochs), ScoreUnit::kPart}, 0};
  }
  RunTrial function() {
    return [this](int64_t number, const std::string& folder, const TrainConfig& config, int64_t epochs,
                  const std::function<bool()>&) { return (*this)(number, folder, config, epochs); };
  }
};

// All that a search has found, without its times.
std::string found(const Ledger& ledger) {
  std::string text;
  for (const Result& r : ledger.results)
    text += cat(r.job.trial, " ", r.job.rung, " ", r.epochs, " ", r.score, " ", r.failure, "\n");
  for (const Values& values : ledger.trials) text += describe(values) + "\n";
  return text;
}

bool same_job(const std::optional<Job>& a, const Job& b) { return a && *a == b; }

}  // namespace

TEST_CASE("search: trials run at their rungs, the best is recommended, and the files say so") {
  const ScratchFolder folder;
  Trials trials;
  const SearchOptions o = options(folder.path(), 9);
  const SearchResult result = run_search(o, trials.function());
  CHECK(result.complete);
  CHECK(result.signal == 0);
  CHECK(result.ledger.trials.size() == 9);
  const std::vector<Standing> standings = ranking(result.ledger);
  REQUIRE(standings.size() == 9);
  CHECK(standings[0].epochs == 9);
  for (size_t i = 1; i < standings.size(); ++i) CHECK(*standings[i - 1].score >= *standings[i].score);
  const Values& best = result.ledger.trials[static_cast<size_t>(standings[0].trial)];
  const TrainConfig recipe = train_config_from_json(read_text_file(folder.file("best.json")));
  CHECK(recipe == with_values(o.fixed, best));
  const Ledger read = ledger_from_json(read_text_file(folder.file("search.json")), "search.json");
  CHECK(to_json(read) == to_json(result.ledger));
  const std::string page = read_text_file(folder.file("search.html")), table = ranking_table(read);
  for (const std::string part :
       {"Scores over time", "<figcaption>lr</figcaption>", "<figcaption>optimizer</figcaption>", "data-trial=\"8\""})
    CHECK_MESSAGE(page.find(part) != std::string::npos, part);
  CHECK(table.starts_with("rank  trial       top-1  epochs   seconds  values\n   1"));
  CHECK(table.find("lr 0.0") != std::string::npos);
  CHECK(ranking_table(read, 2).find("and 7 more") != std::string::npos);
}

TEST_CASE("search: stopped at any job and begun again, it ends as the undisturbed one") {
  const ScratchFolder whole;
  Trials undisturbed;
  const std::string expected = found(run_search(options(whole.path(), 12), undisturbed.function()).ledger);
  for (int64_t stop = 0; stop < undisturbed.calls; ++stop) {
    const ScratchFolder folder;
    Trials first, second;
    first.stop_at = stop;
    const SearchResult stopped = run_search(options(folder.path(), 12), first.function());
    CHECK(stopped.signal == SIGINT);
    CHECK(!stopped.complete);
    CHECK(same_job(stopped.ledger.unfinished, stop == 0 ? Job{0, 0} : *stopped.ledger.unfinished));
    const SearchResult again = run_search(options(folder.path(), 12), second.function());
    CHECK(again.complete);
    CHECK(found(again.ledger) == expected);
    CHECK(static_cast<int64_t>(first.run.size()) == stop);
    CHECK(static_cast<int64_t>(first.run.size() + second.run.size()) == undisturbed.calls);  // nothing runs twice
  }
}

TEST_CASE("search: more trials go on with the same search, other settings are refused by name") {
  const ScratchFolder folder, whole;
  Trials few, more, all;
  run_search(options(folder.path(), 5), few.function());
  const SearchResult extended = run_search(options(folder.path(), 12), more.function());
  CHECK(found(extended.ledger) == found(run_search(options(whole.path(), 12), all.function()).ledger));
  CHECK(few.run.size() + more.run.size() == all.run.size());

  const auto refuses_change = [&](const std::function<void(SearchOptions&)>& change, const std::string& part) {
    SearchOptions o = options(folder.path(), 5);
    change(o);
    Trials trials;
    const bool refused = refuses([&] { run_search(o, trials.function()); }, ErrorKind::kValue, part);
    CHECK(trials.run.empty());
    return refused;
  };
  CHECK(refuses_change([](SearchOptions& o) { o.eta = 4; }, "holds a search with other settings: eta is 3, not 4"));
  CHECK(refuses_change([](SearchOptions& o) { o.fixed.seed = 1; }, "recipe.seed is 0, not 1"));
  CHECK(refuses_change([](SearchOptions& o) { o.about = R"({"data": "mnist"})"; }, "setup.data is missing, not \"mnist\""));
  CHECK(refuses_change([](SearchOptions& o) { o.halving = false; }, "method is \"asha\", not \"random\""));
  CHECK(refuses_change([](SearchOptions& o) { o.space[0].high = 0.1; }, "space.lr.log is [0.0001,0.01], not [0.0001,0.1]"));
  CHECK(!refuses_change([](SearchOptions& o) { o.minutes = 1; }, ""));
}

TEST_CASE("search: a trial that breaks down is a result, not the end") {
  const ScratchFolder folder;
  int64_t calls = 0;
  const RunTrial run = [&](int64_t number, const std::string&, const TrainConfig& config, int64_t epochs,
                           const std::function<bool()>&) {
    ++calls;
    if (number == 1) fail(ErrorKind::kNumeric, "train", "loss is not finite at step 7");
    if (number == 2) fail(ErrorKind::kMemory, "train", "too much memory");
    return TrialOutcome{Score{"top1", "top-1", quality(config, epochs), ScoreUnit::kPart}, 0};
  };
  const SearchResult result = run_search(options(folder.path(), 6), run);
  CHECK(result.complete);
  for (const Result& r : result.ledger.results) CHECK(r.failed() == (r.job.trial == 1 || r.job.trial == 2));
  const std::vector<Standing> standings = ranking(result.ledger);
  CHECK(standings.back().failure != "");
  CHECK(ranking_table(result.ledger).find("loss is not finite at step 7") != std::string::npos);
  CHECK(search_page(result.ledger).find("loss is not finite at step 7") != std::string::npos);
  CHECK(to_json(ledger_from_json(to_json(result.ledger), "s")) == to_json(result.ledger));
  // It is not tried again.
  const int64_t before = calls;
  run_search(options(folder.path(), 6), run);
  CHECK(calls == before);
}

TEST_CASE("search: if nothing works it ends, and an error of the disk ends it at once") {
  const ScratchFolder folder, other;
  CHECK(refuses(
      [&] {
        run_search(options(folder.path(), 100),
                   [](auto&&...) -> TrialOutcome { fail(ErrorKind::kNumeric, "train", "loss is not finite"); });
      },
      ErrorKind::kValue, "the first 20 trials have all failed; the last one: [train] loss is not finite"));
  CHECK(refuses(
      [&] {
        run_search(options(other.path(), 100), [](auto&&...) -> TrialOutcome { fail(ErrorKind::kIo, "save", "disk full"); });
      },
      ErrorKind::kIo, "disk full"));
}

TEST_CASE("search: values that do not go together make a failed trial, which never runs") {
  const ScratchFolder folder;
  SearchOptions o = options(folder.path(), 8);
  o.fixed.optimizer = "sgd";
  // Each is fine alone.
  o.space = {{"momentum", DimensionKind::kChoice, 0, 0, false, {"0", "0.9"}},
             {"nesterov", DimensionKind::kChoice, 0, 0, false, {"true", "false"}}};
  Trials trials;
  const SearchResult result = run_search(o, trials.function());
  size_t failed = 0;
  for (const Result& r : result.ledger.results) failed += r.failed();
  CHECK(failed > 0);
  CHECK(trials.run.size() + failed == result.ledger.results.size());
  CHECK(ranking_table(result.ledger).find("nesterov needs momentum > 0") != std::string::npos);
}

TEST_CASE("search: a loss is better when it is smaller") {
  const ScratchFolder folder;
  const SearchResult result = run_search(
      options(folder.path(), 9), [](int64_t, const std::string&, const TrainConfig& config, int64_t epochs, const auto&) {
        return TrialOutcome{Score{"loss", "loss", 1 - quality(config, epochs), ScoreUnit::kNumber, false}, 0};
      });
  const std::vector<Standing> standings = ranking(result.ledger);
  CHECK(*standings.front().score < *standings.back().score);
  CHECK(standings.front().epochs == 9);
}

TEST_CASE("search: the time is over between two updates, and the trial that ran goes on later") {
  const ScratchFolder folder;
  SearchOptions o = options(folder.path(), 0);
  o.minutes = 1e-9;
  int64_t calls = 0;
  const RunTrial run = [&](int64_t, const std::string&, const TrainConfig&, int64_t, const std::function<bool()>& stop) {
    ++calls;
    CHECK(stop());
    return TrialOutcome{};
  };
  const SearchResult result = run_search(o, run);
  CHECK(!result.complete);
  CHECK(result.signal == 0);
  CHECK(calls <= 1);
  CHECK(result.ledger.results.empty());
}

TEST_CASE("search: without an end, with steps instead of epochs, or in a folder that is in use it is refused") {
  const ScratchFolder folder;
  Trials trials;
  const auto refused = [&](const SearchOptions& o, const std::string& part) {
    return refuses([&] { run_search(o, trials.function()); }, ErrorKind::kValue, part);
  };
  SearchOptions o = options(folder.path(), 0);
  CHECK(refused(o, "needs an end. Hint: --minutes 30, or --trials 50."));
  o.minutes = std::numeric_limits<double>::infinity();
  CHECK(refused(o, "minutes must be a number of at least 0"));
  o = options(folder.path(), 5);
  o.fixed.max_steps = 10;
  CHECK(refused(o, "max_steps goes with no search: it is 10"));
  o = options(folder.path(), 5);
  o.min_epochs = 10;
  CHECK(refused(o, "the epochs of the first rung must be from 1 to those of the last, 9"));
  const RunFolder lock(folder.path(), false);
  CHECK(refused(options(folder.path(), 5), "another run is writing into"));
}

TEST_CASE("search: how far the scores can be trusted is said with their number of pictures") {
  Ledger ledger;
  CHECK(trust_in_scores(ledger, 16) == "");
  ledger.metric = {"top1", "top-1", 0, ScoreUnit::kPart};
  ledger.trials = {{}, {}, {}};
  const double scores[] = {0.5, 0.75, 0.65};
  for (int64_t i = 0; i < 3; ++i) ledger.results.push_back({{i, 0}, 1, scores[i], 1});
  // sqrt(0.75 * 0.25 / 16) = 0.108: trial 2 lies within it, trial 0 does not.
  CHECK(trust_in_scores(ledger, 16) ==
        "each score comes from 16 pictures: a standard error of 10.8 points. 1 other trial lies within it of the best, so "
        "chance may have "
        "put them in this order.");
  CHECK(trust_in_scores(ledger, 10000) == "each score comes from 10000 pictures: a standard error of 0.4 points.");
  ledger.results[1].score = 1;  // all right: still one picture in doubt
  CHECK(trust_in_scores(ledger, 20) == "each score comes from 20 pictures: a standard error of 5.0 points.");
  ledger.metric.unit = ScoreUnit::kNumber;
  CHECK(trust_in_scores(ledger, 20) == "each score comes from 20 pictures.");
}

TEST_CASE("search: a file that was changed by hand is refused") {
  const ScratchFolder folder;
  Trials trials;
  run_search(options(folder.path(), 4), trials.function());
  const std::string good = content_of(folder.file("search.json"));
  const auto refused = [&](const std::string& from, const std::string& to, const std::string& part) {
    std::string text = good;
    REQUIRE(text.find(from) != std::string::npos);
    put_content(folder.file("search.json"), text.replace(text.find(from), from.size(), to));
    return refuses([&] { run_search(options(folder.path(), 4), trials.function()); }, ErrorKind::kData, part);
  };
  CHECK(refused("\"trial\": 1", "\"trial\": 0", "do not fit together: trial 0, rung 0"));
  CHECK(refused("\"trial\": 1", "\"trial\": 4", "do not fit together: trial 4, rung 0"));
  CHECK(refused("\"rung\": 0", "\"rung\": 1", "do not fit together"));
  CHECK(refused("\"lr\": \"0.0", "\"lr\": \"1.0", "the values of trial 0 are not those that the seed draws"));
  CHECK(refused("\"lr\": \"0.0", "\"lrs\": \"0.0", "trials must all have the same fields"));
  CHECK(refused("\"format\": 1", "\"format\": 2", "format must be an integer from 1 to 1"));
  CHECK(refused("{", "[", "no valid JSON"));
}
