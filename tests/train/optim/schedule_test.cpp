// Learning rates at the ends, at the joints and between.
#include <doctest/doctest.h>
#include "tests/support/scratch_folder.h"

#include <cmath>

#include "base/error.h"
#include "train/config.h"
#include "train/optim/schedule.h"

using namespace vitrail;

namespace {

Schedule make(ScheduleKind kind, int64_t warmup = 0) {
  Schedule s;
  s.kind = kind;
  s.base_lr = 0.8;
  s.min_lr = 0.2;
  s.warmup_steps = warmup;
  s.total_steps = 100;
  return s;
}

}  // namespace

TEST_CASE("warm-up rises in equal steps and meets the base rate exactly") {
  for (auto kind : {ScheduleKind::kConstant, ScheduleKind::kLinear, ScheduleKind::kCosine, ScheduleKind::kStep,
                    ScheduleKind::kPolynomial}) {
    Schedule s = make(kind, 3);
    CHECK(learning_rate(s, 0) == doctest::Approx(0.2));
    CHECK(learning_rate(s, 1) == doctest::Approx(0.4));
    CHECK(learning_rate(s, 2) == doctest::Approx(0.6));
    CHECK(learning_rate(s, 3) == doctest::Approx(0.8));
  }
}

TEST_CASE("linear, cosine and polynomial end at the lowest rate and stay there") {
  for (auto kind : {ScheduleKind::kLinear, ScheduleKind::kCosine, ScheduleKind::kPolynomial}) {
    const Schedule s = make(kind, 20);
    CHECK(learning_rate(s, 20) == 0.8);
    CHECK(learning_rate(s, 60) == doctest::Approx(0.5));  // halfway
    CHECK(learning_rate(s, 100) == doctest::Approx(0.2));
    CHECK(learning_rate(s, 1000) == doctest::Approx(0.2));
  }
}

TEST_CASE("cosine is slow at both ends") {
  const Schedule s = make(ScheduleKind::kCosine);
  CHECK(learning_rate(s, 25) == doctest::Approx(0.2 + 0.3 * (1 + std::sqrt(0.5))));
  CHECK(learning_rate(s, 75) == doctest::Approx(0.2 + 0.3 * (1 - std::sqrt(0.5))));
}

TEST_CASE("polynomial follows its power") {
  Schedule s = make(ScheduleKind::kPolynomial);
  s.power = 2;
  CHECK(learning_rate(s, 50) == doctest::Approx(0.2 + 0.6 * 0.25));
}

TEST_CASE("step drops every step_size updates after warm-up") {
  Schedule s = make(ScheduleKind::kStep, 5);
  s.min_lr = 0.01;
  s.step_size = 10;
  CHECK(learning_rate(s, 14) == 0.8);
  CHECK(learning_rate(s, 15) == doctest::Approx(0.08));
  CHECK(learning_rate(s, 24) == doctest::Approx(0.08));
  CHECK(learning_rate(s, 25) == doctest::Approx(0.01));  // 0.008, held by the floor
}

TEST_CASE("multistep drops at each milestone") {
  Schedule s = make(ScheduleKind::kMultistep);
  s.min_lr = 0;
  s.gamma = 0.5;
  s.milestones = {10, 30};
  CHECK(learning_rate(s, 9) == 0.8);
  CHECK(learning_rate(s, 10) == doctest::Approx(0.4));
  CHECK(learning_rate(s, 29) == doctest::Approx(0.4));
  CHECK(learning_rate(s, 30) == doctest::Approx(0.2));
}

TEST_CASE("a run of warm-up only neither divides by zero nor passes the base rate") {
  Schedule s = make(ScheduleKind::kCosine, 100);
  CHECK(learning_rate(s, 99) == doctest::Approx(0.8 * 100 / 101));
  CHECK(std::isfinite(learning_rate(s, 100)));
}

TEST_CASE("plateau lowers the rate after more than `patience` updates without improvement") {
  Plateau plateau{.factor = 0.5, .patience = 2, .threshold = 0.01};
  CHECK(plateau.update(1.0) == 1);
  CHECK(plateau.update(0.5) == 1);    // better
  CHECK(plateau.update(0.495) == 1);  // not by the threshold: 1
  CHECK(plateau.update(0.5) == 1);    // 2
  CHECK(plateau.update(0.6) == 0.5);  // 3
  CHECK(plateau.best == 0.5);
  CHECK(plateau.update(0.6) == 0.5);
  CHECK(plateau.update(0.1) == 0.5);
}

TEST_CASE("plateau refuses a metric that is not finite, and keeps its state") {
  Plateau plateau{.factor = 0.5, .patience = 0};
  plateau.update(0.5);
  for (const double bad : {std::nan(""), -std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    CHECK(testing::refuses([&] { plateau.update(bad); }, ErrorKind::kNumeric, "the metric is not finite: it is "));
    CHECK(testing::refuses([&] { Plateau{}.update(bad); }, ErrorKind::kNumeric, "not finite"));
  }
  CHECK(plateau.scale == 1);
  CHECK(plateau.best == 0.5);
}

TEST_CASE("plateau of an accuracy waits for larger values") {
  Plateau plateau{.factor = 0.1, .patience = 0, .larger_is_better = true, .min_scale = 0.05};
  plateau.update(0.5);
  CHECK(plateau.update(0.6) == 1);
  CHECK(plateau.update(0.6) == doctest::Approx(0.1));
  CHECK(plateau.update(0.6) == doctest::Approx(0.05));
}

TEST_CASE("schedules are found by name, and wrong ones are named") {
  for (const char* name : {"constant", "linear", "cosine", "step", "multistep", "polynomial"})
    CHECK(name_of(schedule_kind(name)) == std::string(name));
  CHECK_THROWS_WITH_AS(schedule_kind("cosin"), doctest::Contains("\"cosin\". Hint: one of constant, linear, cosine"), Error);
}

TEST_CASE("a schedule out of range is refused with its numbers") {
  Schedule s = make(ScheduleKind::kCosine);
  s.min_lr = 0.9;
  CHECK_THROWS_WITH_AS(validate(s), doctest::Contains("min_lr is 0.9, base_lr is 0.8"), Error);
  s = make(ScheduleKind::kMultistep);
  s.milestones = {5, 5};
  CHECK_THROWS_WITH_AS(validate(s), doctest::Contains("milestones must ascend: 5 follows 5"), Error);
  CHECK_THROWS_WITH_AS(learning_rate(s, -1), doctest::Contains("step must be at least 0"), Error);
}

TEST_CASE("the updates of the head alone have their own constant rate, and the schedule begins behind them") {
  Schedule plain;
  plain.base_lr = 0.1, plain.warmup_steps = 3, plain.total_steps = 20;
  Schedule later = plain;
  later.head_steps = 5, later.head_lr = 0.7;
  validate(later);
  for (int64_t step = 0; step < 5; ++step) CHECK(learning_rate(later, step) == 0.7);
  for (int64_t step = 0; step < 25; ++step) CHECK(learning_rate(later, step + 5) == learning_rate(plain, step));
  later.head_steps = -1;
  CHECK_THROWS_WITH_AS(validate(later), doctest::Contains("head_steps must be at least 0: it is -1"), Error);
  TrainConfig config;
  config.epochs = 10, config.head_epochs = 2, config.head_alone_lr = 5, config.lr = 0.01, config.warmup = 0.1;
  const Schedule made = make_schedule(config, 100, 10);
  CHECK(made.head_steps == 20);
  CHECK(made.head_lr == doctest::Approx(0.05));
  CHECK(made.total_steps == 80);
  CHECK(made.warmup_steps == 8);
}
