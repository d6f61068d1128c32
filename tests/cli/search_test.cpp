// vitrail search, train --kfold and train --find-lr: what they print, write and refuse, and that a stopped one goes on.
#include <doctest/doctest.h>
#include <signal.h>

#include <cstdint>

#include "base/file.h"
#include "base/json.h"
#include "tests/support/run_program.h"
#include "train/search/search.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

// Trials of a second together.
const std::string kTiny = " --data glyphs --train-size 60 --model vit_fashion_p7 --batch-size 20 --epochs 3 ";

std::string space_file(const std::string& json = R"({"lr": {"log": [1e-4, 1e-2]}, "optimizer": ["adamw", "muon"]})") {
  static int count = 0;
  const std::string path = scratch() + "/space" + std::to_string(count++) + ".json";
  write_file_atomically(path, json);
  return path;
}

search::Ledger ledger_of(const std::string& out) { return search::ledger_from_json(read_text_file(out + "/search.json"), out); }

// What was found, without the times.
std::string found(const search::Ledger& ledger) {
  std::string text;
  for (const search::Result& r : ledger.results) text += cat(r.job.trial, " ", r.epochs, " ", r.score, " ", r.failure, "\n");
  return text;
}

std::string log_file() { return scratch() + "/search_log.txt"; }

// Starts the program and sends it a signal once `file` is there; its exit code, 0 if it ended before.
int interrupted(const std::string& arguments, const std::string& file, int signal) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (const int inherited : {SIGHUP, SIGINT, SIGTERM}) ::signal(inherited, SIG_DFL);
    const std::string command = "exec " + program() + " " + arguments + " > " + log_file() + " 2>&1 < /dev/null";
    execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  for (int i = 0; i < 6000 && !fs::exists(file); ++i) usleep(10000);
  kill(child, signal);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

TEST_CASE("search prints a table, writes its files, and its best recipe can be trained") {
  const std::string out = scratch() + "/search", command = "search --trials 6 --space " + space_file() + kTiny + "--out ";
  const Outcome outcome = run(command + out);
  CHECK_MESSAGE(outcome.code == 0, outcome.text);
  CHECK(outcome.says("54 images to train on, 6 held out"));
  CHECK(outcome.says("rank  trial       top-1  epochs   seconds  values"));
  CHECK_MESSAGE(outcome.says("each score comes from 6 pictures: a standard error of "), outcome.text);
  CHECK_MESSAGE(outcome.says("vitrail train --config " + out + "/best.json --data glyphs --model vit_fashion_p7 --out DIR"), outcome.text);
  CHECK(fs::exists(out + "/search.html"));
  CHECK(fs::exists(out + "/trials/0000/model.safetensors"));
  CHECK(fs::exists(out + "/trials/0005/metrics.jsonl"));
  CHECK(ledger_of(out).trials.size() == 6);
  CHECK(run("train --data glyphs --config " + out +
            "/best.json --max-steps 1 --train-size 20 --test-size 10 --model vit_fashion_p7 --out " + out + "_best")
            .code == 0);
  // Another number of threads gives the same search; the same folder again has nothing left to do.
  const std::string other = scratch() + "/search_threads";
  CHECK(run(command + other + " --threads 1 --quiet").code == 0);
  CHECK(found(ledger_of(other)) == found(ledger_of(out)));
  const Outcome again = run(command + out);
  CHECK(again.code == 0);
  CHECK(again.says("going on after"));
  CHECK(found(ledger_of(out)) == found(ledger_of(other)));
}

TEST_CASE("search stopped by a signal ends with 128 + signal, and the same command goes on to the same end") {
  const std::string out = scratch() + "/search_stopped", whole = scratch() + "/search_whole";
  const std::string command = "search --trials 4 --space " + space_file() +
                              " --data glyphs --train-size 100 --threads 1 --model vit_fashion_p7" + " --batch-size 10 --epochs 3 --out ";
  int stops = 0;
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string file = out + (stops == 0 ? "/trials/0000/metrics.jsonl" : "/trials/0002/metrics.jsonl");
    const int code = interrupted(command + out, file, signal);
    CHECK_MESSAGE(code == 128 + signal, read_text_file(log_file()));
    ++stops;
  }
  CHECK(run(command + out).code == 0);
  CHECK(run(command + whole).code == 0);
  CHECK(found(ledger_of(out)) == found(ledger_of(whole)));
}

TEST_CASE("search ends in time, and says how to go on") {
  const Outcome outcome = run("search --minutes 0.02 --space " + space_file() + kTiny + "--out " + scratch() + "/search_time");
  CHECK_MESSAGE(outcome.code == 0, outcome.text);
  CHECK(outcome.says("the time is up; the same command goes on from here"));
}

TEST_CASE("search refuses what it cannot do, in one line, with the exit code of its kind") {
  const std::string out = " --out " + scratch() + "/search_never", space = space_file();
  const auto refused = [&](const std::string& arguments, int code, const std::string& part) {
    const Outcome outcome = run("search " + arguments + out);
    CHECK_MESSAGE(outcome.code == code, outcome.text);
    CHECK_MESSAGE(outcome.says(part), outcome.text);
  };
  refused("--space " + space + kTiny, 2, "[search] needs an end. Hint: --minutes 30, or --trials 50.");
  refused("--trials 3 --space " + space_file(R"({"lrr": [1]})") + kTiny, 2,
          "lrr is no field of the recipe. Hint: did you mean lr?");
  refused("--trials 3 --space " + space_file("{") + kTiny, 2, "no valid JSON");
  refused("--trials 3 --space " + scratch() + "/none.json" + kTiny, 4, "none.json");
  refused("--trials 3" + kTiny, 2, "--space is required");
  refused("--trials 3 --holdout 1 --space " + space + kTiny, 2, "--holdout must be a whole number in [2, 1000]: it is 1");
  refused("--trials 3 --eta 1 --space " + space + kTiny, 2, "--eta must be a whole number in [2, 1000]: it is 1");
  refused("--trials 3 --min-epochs 4 --space " + space + kTiny, 2,
          "the epochs of the first rung must be from 1 to those of the last, 3");
  refused("--trials 3 --max-steps 4 --space " + space + kTiny, 2, "search has no option --max-steps");
  const std::string searched = scratch() + "/search_settings",
                    command = "search --trials 1 --space " + space + kTiny + "--out " + searched;
  CHECK(run(command).code == 0);
  const Outcome other = run(command + " --seed 4");
  CHECK(other.code == 2);
  CHECK_MESSAGE(other.says("holds a search with other settings: recipe.seed is 0, not 4"), other.text);
}

TEST_CASE("train --kfold trains each fold, prints mean and deviation, and goes on after a stop") {
  const std::string out = scratch() + "/kfold", whole = scratch() + "/kfold_whole";
  const std::string command =
      "train --kfold 3 --data glyphs --train-size 90 --test-size 10 --model vit_fashion_p7 --batch-size 10 --epochs 2 --out ";
  const int code = interrupted(command + out, out + "/fold-2/metrics.jsonl", SIGINT);
  CHECK_MESSAGE(code == 130, read_text_file(log_file()));
  const Outcome rest = run(command + out);
  CHECK_MESSAGE(rest.code == 0, rest.text);
  CHECK(rest.says("going on after 1 folds"));
  CHECK(!rest.says("fold 1 of 3"));
  CHECK(rest.says("fold 3 of 3: 60 images to train on, 30 left out"));
  CHECK(rest.says("each fold is tested on its part of the training images; the test images are not touched"));
  CHECK(rest.says("\nmean "));
  CHECK(rest.says("\nstandard dev."));
  CHECK(run(command + whole + " --threads 1 --quiet").code == 0);
  const auto means = [](const std::string& folder) {
    const JsonDocument document(read_text_file(folder + "/kfold.json"), folder);
    JsonObject json(document.root(), folder);
    return json.json_text("mean") + json.json_text("standard_deviation");
  };
  CHECK(means(out) == means(whole));
  CHECK(read_file(out + "/fold-2/model.safetensors") == read_file(whole + "/fold-2/model.safetensors"));
  const Outcome other = run(command + out + " --lr 0.5");
  CHECK(other.code == 2);
  CHECK_MESSAGE(other.says("holds a cross-validation with other settings: recipe.lr is 0.002, not 0.5"), other.text);
}

TEST_CASE("train --find-lr suggests a rate, writes a curve if it has a folder, and no model") {
  const std::string out = scratch() + "/find_lr",
                    command =
                        "train --find-lr --data glyphs --train-size 32 --test-size 10 --batch-size 32 --model vit_fashion_p7";
  const Outcome outcome = run(command + " --out " + out);
  CHECK_MESSAGE(outcome.code == 0, outcome.text);
  CHECK(outcome.says("steepest  "));
  CHECK(outcome.says("lowest / 10  "));
  CHECK(fs::exists(out + "/lr.csv"));
  CHECK(fs::exists(out + "/lr.svg"));
  CHECK(!fs::exists(out + "/model.safetensors"));
  const Outcome without = run(command + " --threads 1", "2>/dev/null");
  CHECK(without.code == 0);
  CHECK(outcome.says(without.text.substr(0, without.text.find("\nlowest"))));  // for any number of threads
}

TEST_CASE("train --kfold, --find-lr and --dry-run exclude each other") {
  const Outcome both = run("train --kfold 3 --find-lr --data glyphs --out " + scratch() + "/never");
  CHECK(both.code == 2);
  CHECK(both.says("--dry-run, --find-lr, --kfold and --overfit-one-batch do not go together"));
  const Outcome one = run("train --kfold 1 --data glyphs --out " + scratch() + "/never");
  CHECK(one.code == 2);
  CHECK(one.says("--kfold must be a whole number in [2, 1000]: it is 1"));
  const Outcome many = run("train --kfold 30" + kQuick + "--data glyphs --out " + scratch() + "/never");
  CHECK(many.code == 2);
  CHECK_MESSAGE(many.says("the number of folds must be from 2 to the number of images, 20: it is 30"), many.text);
}
