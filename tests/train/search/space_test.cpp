// The space of a search: what a file may say, and what is drawn from it.
#include "train/search/space.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>

#include "base/number.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using namespace vitrail::search;
using namespace vitrail::testing;

namespace {

constexpr const char* kSpace =
    R"({"optimizer": ["adamw", "muon"], "lr": {"log": [1e-4, 1e-2]}, "weight_decay": {"uniform": [0, 0.1]}, "batch_size": {"int": [32, 256]}})";

// The message that follows "[search] ..." when this space is read.
std::string complaint(const std::string& json, const TrainConfig& fixed = {}) {
  const auto error = error_of([&] { read_space(json, "space.json", fixed); });
  if (!error) return "nothing was thrown";
  CHECK(error->kind() == ErrorKind::kValue);
  return error->what();
}

#define CHECK_COMPLAINS(json, part) CHECK_MESSAGE(complaint(json).find(part) != std::string::npos, complaint(json))

double number(const std::string& text) { return parse_number("test", "value", text); }

}  // namespace

TEST_CASE("space: a trial's values are a function of seed and number, and lie in their ranges") {
  const Space space = read_space(kSpace, "space.json", {});
  REQUIRE(space.size() == 4);
  std::set<std::string> optimizers, rates;
  double log_sum = 0, low_batch = 1e9, high_batch = 0;
  const int64_t n = 2000;
  for (int64_t i = 0; i < n; ++i) {
    const Values values = draw(space, 5, i);
    CHECK(values == draw(space, 5, i));
    REQUIRE(values.size() == 4);
    const TrainConfig c = with_values({}, values);
    optimizers.insert(c.optimizer);
    rates.insert(values[1].second);
    CHECK((c.lr >= 1e-4 && c.lr <= 1e-2));
    CHECK((c.weight_decay >= 0 && c.weight_decay <= 0.1));
    CHECK((c.batch_size >= 32 && c.batch_size <= 256));
    log_sum += std::log10(c.lr);
    low_batch = std::min(low_batch, static_cast<double>(c.batch_size));
    high_batch = std::max(high_batch, static_cast<double>(c.batch_size));
  }
  CHECK(optimizers == std::set<std::string>{"adamw", "muon"});
  CHECK(rates.size() > 1500);  // four digits leave most of them apart
  CHECK(low_batch == 32);
  CHECK(high_batch == 256);
  CHECK(std::abs(log_sum / static_cast<double>(n) + 3) < 0.05);  // the middle of the decades, not of the numbers
  CHECK(draw(space, 5, 0) != draw(space, 6, 0));
  CHECK(draw(space, 5, 0) != draw(space, 5, 1));
}

TEST_CASE("space: the order of the fields in the file does not matter") {
  const Space a = read_space(R"({"lr": {"log": [1e-4, 1e-2]}, "momentum": {"uniform": [0.5, 0.99]}})", "a", {});
  const Space b = read_space(R"({"momentum": {"uniform": [0.5, 0.99]}, "lr": {"log": [1e-4, 1e-2]}})", "b", {});
  for (int64_t i = 0; i < 20; ++i) CHECK(draw(a, 1, i) == draw(b, 1, i));
}

TEST_CASE("space: numbers have four digits at most and never leave their range") {
  const Space space =
      read_space(R"({"beta2": {"uniform": [0.9999912, 0.9999987]}, "lr": {"log": [0.00123456, 0.00123457]}})", "s", {});
  for (int64_t i = 0; i < 100; ++i) {
    const Values values = draw(space, 0, i);
    const double beta2 = number(values[0].second), lr = number(values[1].second);
    CHECK((beta2 >= 0.9999912 && beta2 <= 0.9999987));
    CHECK((lr >= 0.00123456 && lr <= 0.00123457));
  }
  const Space wide = read_space(R"({"lr": {"log": [1e-5, 1]}})", "s", {});
  for (int64_t i = 0; i < 100; ++i) {
    const std::string text = draw(wide, 0, i)[0].second;
    const std::string digits = text.substr(0, text.find('e'));
    CHECK_MESSAGE(std::count_if(digits.begin(), digits.end(), [](char c) { return c >= '1' && c <= '9'; }) <= 4, text);
  }
}

TEST_CASE("space: a logarithmic range of a field of whole numbers gives whole numbers, ends included") {
  const Space space = read_space(R"({"batch_size": {"log": [1, 4]}})", "s", {});
  std::set<std::string> seen;
  for (int64_t i = 0; i < 300; ++i) seen.insert(draw(space, 0, i)[0].second);
  CHECK(seen == std::set<std::string>{"1", "2", "3", "4"});
}

TEST_CASE("space: lists of numbers, switches and lists") {
  const Space space =
      read_space(R"({"mirror": [true, false], "lr": [1e-3, 0.003], "milestones": [[2, 4], [3]], "seed": [1, 2]})", "s", {});
  std::set<std::string> lr, mirror;
  std::set<std::vector<int64_t>> milestones;
  for (int64_t i = 0; i < 100; ++i) {
    const TrainConfig c = with_values({}, draw(space, 0, i));
    lr.insert(std::to_string(c.lr)), mirror.insert(c.mirror ? "yes" : "no");
    milestones.insert(c.milestones);
  }
  CHECK(lr.size() == 2);
  CHECK(mirror.size() == 2);
  CHECK(milestones == std::set<std::vector<int64_t>>{{2, 4}, {3}});
}

TEST_CASE("space: what is no field, no range or no value of its field is refused by name") {
  CHECK_COMPLAINS(R"({"learning_rate": [1]})", "learning_rate is no field of the recipe");
  CHECK_COMPLAINS(R"({"weight_decy": [1]})", "did you mean weight_decay?");
  CHECK_COMPLAINS(R"({"threads": [1, 2]})", "threads is no field of the recipe");
  CHECK_COMPLAINS(R"({"epochs": {"int": [1, 2]}})", "epochs is not for the space: the search decides how long a trial runs");
  CHECK_COMPLAINS(R"({"patience": [5]})", "patience is not for the space");
  CHECK_COMPLAINS(R"({"max_steps": [5]})", "max_steps is not for the space");
  CHECK_COMPLAINS(R"({"lr": 0.001})", "lr must be a list of values, or a range");
  CHECK_COMPLAINS(R"({"lr": {"logarithmic": [1e-4, 1e-2]}})", "lr must be a list of values, or one of");
  CHECK_COMPLAINS(R"({"lr": {"log": [1e-4, 1e-2], "uniform": [0, 1]}})", "lr must be a list of values, or one of");
  CHECK_COMPLAINS(R"({"lr": {"log": [1e-4, 1e-3, 1e-2]}})", "the two ends of its range: it has 3 numbers");
  CHECK_COMPLAINS(R"({"lr": {"log": [1e-2, 1e-4]}})", "lr is an empty range");
  CHECK_COMPLAINS(R"({"lr": {"log": [0, 1]}})", "must begin above 0: it begins at 0");
  CHECK_COMPLAINS(R"({"lr": {"int": [1, 2]}})", "lr is no whole number");
  CHECK_COMPLAINS(R"({"batch_size": {"uniform": [1, 2]}})", "batch_size is a whole number");
  CHECK_COMPLAINS(R"({"batch_size": {"int": [1.5, 2]}})", "int must be an integer");
  CHECK_COMPLAINS(R"({"batch_size": {"int": [0, 2]}})", "--batch-size must be a whole number in [1, 1048576]: it is 0");
  CHECK_COMPLAINS(R"({"beta1": {"uniform": [0.5, 1]}})", "beta1 must be in [0, 1): it is 1");
  CHECK_COMPLAINS(R"({"optimizer": ["adamw", "adamv"]})", "unknown optimizer: it is \"adamv\"");
  CHECK_COMPLAINS(R"({"optimizer": {"log": [1, 2]}})", "optimizer is no number: list its values");
  CHECK_COMPLAINS(R"({"lr": ["fast"]})", "--lr must be a finite number");
  CHECK_COMPLAINS(R"({"lr": []})", "lr has no values");
  CHECK_COMPLAINS("{}", "names no field that varies");
  CHECK_COMPLAINS(R"({"lr": [1], "lr": [2]})", "stands twice");
}

TEST_CASE("space: values that do not go with each other are refused when they meet") {
  TrainConfig fixed;
  fixed.momentum = 0;
  CHECK(complaint(R"({"optimizer": ["adamw", "sgd"]})", fixed).find("nesterov needs momentum > 0") != std::string::npos);
  CHECK_THROWS_WITH_AS(with_values(fixed, {{"optimizer", "sgd"}}), doctest::Contains("nesterov needs momentum"), Error);
}
