// Lab 11, exercise 11.6: one norm of parts that lie on several ranks.
#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "labs/lab11/clip.h"
#include "labs/lab11/tests_common.h"

namespace {

using namespace vitrail;

// The parts after clip_shared(); the norm that it returned stands behind each.
AfterRun after_clip(const OfRanks& parts, double max_norm, const lab::Weather& weather) {
  return on_ranks(parts, weather, [max_norm](Communicator& comm, std::vector<double>& list) {
    std::vector<float> own = floats_in(list);
    const double norm = lab::clip_shared(comm, own, max_norm);
    list = doubles_in(own);
    list.push_back(norm);
  });
}
AfterRun after_norm(const OfRanks& parts, const lab::Weather& weather) {
  return on_ranks(parts, weather, [](Communicator& comm, std::vector<double>& list) {
    const std::vector<float> own = floats_in(list);
    list = {lab::shared_norm(comm, own)};
  });
}

double norm_of(const OfRanks& parts) {
  double sum = 0;
  for (const std::vector<double>& part : parts)
    for (const double x : part) sum += x * x;
  return std::sqrt(sum);
}

// What one process makes of the whole gradient.
OfRanks clipped(const OfRanks& parts, double max_norm) {
  const double norm = norm_of(parts), factor = norm > max_norm ? max_norm / norm : 1;
  OfRanks all = parts;
  for (std::vector<double>& part : all) {
    for (double& x : part) x *= factor;
    part.push_back(norm);
  }
  return all;
}

// Parts of random sizes; that of rank 1 is empty.
OfRanks random_parts(int ranks, lab::Dice& dice, double size) {
  OfRanks parts;
  for (int r = 0; r < ranks; ++r) {
    parts.emplace_back();
    const int64_t n = r == 1 ? 0 : dice.roll(1, 30);
    for (int64_t i = 0; i < n; ++i)
      parts.back().push_back(static_cast<double>(static_cast<float>(size * (r + 1) * dice.uniform(-1, 1))));
  }
  return parts;
}

bool all_finite(const OfRanks& lists) {
  for (const std::vector<double>& list : lists)
    for (const double x : list)
      if (!std::isfinite(x)) return false;
  return true;
}

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinite = std::numeric_limits<double>::infinity();

}  // namespace

LAB_PROBE("11.6") { return text_of(after_norm({{3}, {4}}, {})) + text_of(after_norm({{1, 2}, {}, {2}}, {})); }
LAB_PROBE("11.6") { return text_of(after_clip({{3}, {4}}, 1, {})) + text_of(after_clip({{30}, {0.1}}, 1, {})); }
LAB_PROBE("11.6") { return text_of(after_clip({{3, -0.5, 2}, {4, 1}}, 2, {})); }
LAB_PROBE("11.6") { return text_of(after_clip({{0.3}, {0.4}}, 1, {})) + text_of(after_clip({{3}, {}}, 1, {})); }
LAB_PROBE("11.6") { return text_of(after_clip({{3e25}, {4e25}}, 1, {})); }
LAB_PROBE("11.6") { return text_of(after_clip({{1, 2}, {kInfinite}}, 1, {})) + text_of(after_clip({{1, 2}, {kNaN}}, 1, {})); }
LAB_PROBE("11.6") {
  const AfterRun after = after_norm({std::vector<double>(50, 1), std::vector<double>(50, 1)}, {});
  return text_of(after) + cat(after.traffic.all_bytes());
}

TEST_SUITE("11.6") {
  TEST_CASE("the norm of the parts together, on all ranks, whatever the messages take") {
    lab::Dice dice(1151);
    for (int ranks = 1; ranks <= kRanks; ++ranks) {
      const OfRanks parts = random_parts(ranks, dice, 10);
      const OfRanks wanted(parts.size(), {norm_of(parts)});
      for (const lab::Weather& weather : weathers(1151))
        CHECK(problem_of(after_norm(parts, weather), wanted, 1e-12, weather) == "");
    }
  }
  TEST_CASE("all parts are multiplied by one factor, as one process does; the norm before is returned") {
    lab::Dice dice(1152);
    for (int ranks = 1; ranks <= kRanks; ++ranks) {
      const OfRanks parts = random_parts(ranks, dice, 10);
      const double limit = norm_of(parts) / 3;
      for (const lab::Weather& weather : weathers(1152))
        CHECK(problem_of(after_clip(parts, limit, weather), clipped(parts, limit), 1e-6, weather) == "");
    }
  }
  TEST_CASE("a rank whose own part is small, or has nothing, takes part like the others") {
    const OfRanks parts{{0.001}, {}, {12, 9}, {0.5}};
    for (const lab::Weather& weather : weathers(1153))
      CHECK(problem_of(after_clip(parts, 5, weather), clipped(parts, 5), 1e-6, weather) == "");
  }
  TEST_CASE("a norm below the limit changes no bit") {
    lab::Dice dice(1154);
    for (int ranks = 1; ranks <= kRanks; ++ranks) {
      const OfRanks parts = random_parts(ranks, dice, 1);
      const AfterRun after = after_clip(parts, 1000, {});
      CHECK(problem_of(after, clipped(parts, 1000), 1e-12, {}) == "");
      for (size_t r = 0; r < parts.size(); ++r)
        CHECK(std::vector<double>(after.lists[r].begin(), after.lists[r].begin() + static_cast<int64_t>(parts[r].size())) ==
              parts[r]);
    }
  }
  TEST_CASE("squares that no float holds") {
    const OfRanks large{{3e25, 1e25}, {4e25}}, small{{3e-25}, {4e-25, 1e-25}};
    CHECK(problem_of(after_clip(large, 1, {}), clipped(large, 1), 1e-6, {}) == "");
    CHECK(all_finite(after_clip(large, 1, {}).lists));
    const AfterRun after = after_norm(small, {});
    CHECK(after.lists[0][0] / norm_of(small) == doctest::Approx(1).epsilon(1e-6));
  }
  TEST_CASE("NaN or infinity on one rank: all ranks hear of it, and nothing is changed") {
    for (const double bad : {kNaN, kInfinite}) {
      const AfterRun after = after_clip({{1, 2}, {bad}, {3}}, 1, {});
      CHECK(after.trouble == "");
      for (const std::vector<double>& list : after.lists) CHECK_FALSE(std::isfinite(list.back()));
      CHECK(after.lists[0][0] == 1);
      CHECK(after.lists[2][0] == 3);
    }
  }
  TEST_CASE("ranks tell each other one number, not their gradients") {
    for (int ranks = 2; ranks <= kRanks; ++ranks) {
      const OfRanks parts(static_cast<size_t>(ranks), std::vector<double>(500, 1));
      const AfterRun after = after_norm(parts, {});
      CHECK(after.trouble == "");
      CHECK(after.traffic.all_bytes() <= ranks * 2 * ranks * 8);
      CHECK(difference_of(after.lists[0], {norm_of(parts)}, 1e-12) == "");
    }
  }
}
