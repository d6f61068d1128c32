// Lab 10, exercise 10.1: the clock is the test's own.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "labs/common/lab.h"
#include "labs/lab10/roofline.h"
#include "labs/lab10/watched.h"
#include "tensor/machine/simd.h"

namespace {

using namespace vitrail;

// A clock that moves only while work is done: the k-th call of the work takes seconds[k]; every look at the clock takes `look`.
struct Bench {
  std::vector<double> seconds;
  double look = 0, now = 1000;
  size_t calls = 0;
  double least(int runs) {
    return lab::least_seconds(
        [this] {
          now += look / 2;
          const double shown = now;
          now += look / 2;
          return shown;
        },
        runs, [this] { now += seconds.at(calls++); });
  }
};

std::vector<lab::Step> chains_of(int64_t count) {
  std::vector<lab::Step> x;
  for (int64_t i = 0; i < count; ++i) x.emplace_back(0.5 + static_cast<double>(i), i);
  lab::Step::order().clear();
  return x;
}

// The chains in the order in which they were multiplied.
std::vector<int64_t> order_of(int64_t chains, int64_t rounds) {
  std::vector<lab::Step> x = chains_of(chains);
  lab::multiply_add(x.data(), chains, rounds, lab::Step(0.5, -1), lab::Step(2, -1));
  return lab::Step::order();
}

std::string text_of(const lab::Cost& cost) { return lab::digits(std::vector<double>{cost.flops, cost.bytes}, 6); }

}  // namespace

LAB_PROBE("10.1") {
  Bench bench{{1, 6, 8, 5, 9, 9}};
  const double least = bench.least(3);
  return lab::digits(std::vector<double>{least, static_cast<double>(bench.calls)}, 6);
}
LAB_PROBE("10.1") {
  std::string text;
  for (const int64_t chain : order_of(3, 2)) text += cat(chain, " ");
  std::vector<double> x{1, 2};
  lab::multiply_add(x.data(), 2, 3, 0.5, 1.0);
  return text + lab::digits(x, 5);
}
LAB_PROBE("10.1") { return text_of(lab::multiply_add_cost(1 << 20, 1 << 20, 16)); }
LAB_PROBE("10.1") { return text_of(lab::multiply_add_cost(3, 5, 8)) + text_of(lab::axpy_cost(10)); }
LAB_PROBE("10.1") {
  const lab::Machine machine{100, 10};
  return lab::digits(
      std::vector<double>{lab::roof(machine, {6, 12}), lab::roof(machine, {600, 12}), lab::roof(machine, {6, 0})}, 6);
}

TEST_SUITE("10.1") {
  TEST_CASE("the least time counts: other programs can only make a run longer") {
    Bench bench{{9, 7, 5, 6}};
    CHECK(bench.least(3) == doctest::Approx(5));
    CHECK(bench.calls == 4);
    Bench one{{9, 7}};
    CHECK(one.least(1) == doctest::Approx(7));
  }
  TEST_CASE("the first run warms up and does not count, even if it was the shortest") {
    Bench bench{{1, 7, 5, 6, 8}};
    CHECK(bench.least(4) == doctest::Approx(5));
    CHECK(bench.calls == 5);
  }
  TEST_CASE("random times; and a look at the clock, which takes time, too, is paid once a run") {
    lab::Dice dice(1001);
    for (int round = 0; round < 20; ++round) {
      const int runs = static_cast<int>(dice.roll(1, 12));
      Bench bench{{0.001}, 0.25};
      for (int i = 0; i < runs; ++i) bench.seconds.push_back(dice.uniform(1, 100));
      const double wanted = *std::min_element(bench.seconds.begin() + 1, bench.seconds.end()) + 0.25;
      CHECK(bench.least(runs) == doctest::Approx(wanted));
    }
  }
  TEST_CASE("every chain makes its steps") {
    for (const int64_t rounds : {0, 1, 5, 40}) {
      std::vector<double> x{3, -1, 0.25};
      lab::multiply_add(x.data(), 3, rounds, 0.75, 0.5);  // towards 2: x_r = 2 + (x_0 - 2) a^r
      const double left = std::pow(0.75, static_cast<double>(rounds));
      const std::vector<double> wanted{2 + left, 2 - 3 * left, 2 - 1.75 * left};
      for (size_t i = 0; i < 3; ++i) CHECK(x[i] == doctest::Approx(wanted[i]).epsilon(1e-12));
    }
    std::vector<simd::Floats> lanes(2, simd::Floats{} + 4.0f);
    lab::multiply_add(lanes.data(), 2, 2, simd::Floats{} + 0.5f, simd::Floats{} + 1.0f);
    const float first_lane = lanes[1][0];
    CHECK(first_lane == doctest::Approx(2.5));
  }
  TEST_CASE("no step waits for the step just before it: the chains take turns") {
    lab::Dice dice(1002);
    const int64_t chains = dice.roll(3, 9), rounds = dice.roll(4, 9);
    const std::vector<int64_t> order = order_of(chains, rounds);
    int64_t waits = 0;
    for (size_t i = 1; i < order.size(); ++i) waits += order[i] == order[i - 1];
    CHECK(static_cast<int64_t>(order.size()) == chains * rounds);
    CHECK(waits == 0);
  }
  TEST_CASE("what work costs: two operations a step, and every float that is read or written") {
    CHECK(lab::multiply_add_cost(12, 1000, 8).flops == doctest::Approx(192000));
    CHECK(lab::multiply_add_cost(12, 1000, 8).bytes == 0);
    CHECK(lab::multiply_add_cost(1 << 20, 1 << 20, 16).flops == doctest::Approx(32.0 * 1099511627776.0));
    CHECK(lab::axpy_cost(1000).flops == doctest::Approx(2000));
    CHECK(lab::axpy_cost(1000).bytes == doctest::Approx(12000));
  }
  TEST_CASE("the roof: bandwidth left of the ridge, the peak right of it") {
    const lab::Machine machine{120, 20};  // the ridge is at 6 operations a byte
    CHECK(lab::roof(machine, {1, 1}) == doctest::Approx(20));
    CHECK(lab::roof(machine, {3, 1}) == doctest::Approx(60));
    CHECK(lab::roof(machine, {6, 1}) == doctest::Approx(120));
    CHECK(lab::roof(machine, {7, 1}) == doctest::Approx(120));
    CHECK(lab::roof(machine, {5, 0}) == doctest::Approx(120));
    CHECK(lab::roof({1000, 24}, lab::axpy_cost(5)) == doctest::Approx(4));
    lab::Dice dice(1003);
    for (int round = 0; round < 20; ++round) {  // it takes as long as the slower of both
      const lab::Machine m{dice.uniform(1, 500), dice.uniform(1, 50)};
      const lab::Cost cost{dice.uniform(1, 1e6), dice.uniform(1, 1e5)};
      CHECK(lab::roof(m, cost) == doctest::Approx(cost.flops / std::max(cost.flops / m.gflops, cost.bytes / m.gbytes)));
    }
  }
}
