// Lab 11, exercise 11.5: who has which images.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "labs/lab11/shard.h"
#include "labs/lab11/tests_common.h"

namespace {

using namespace vitrail;

using Steps = std::vector<std::vector<int64_t>>;

// Of each rank.
std::vector<Steps> dealt(const lab::Deal& deal, int64_t epoch) {
  std::vector<Steps> all;
  for (int r = 0; r < deal.ranks; ++r) all.push_back(lab::shard(deal, epoch, r));
  return all;
}

std::vector<int64_t> joined(const Steps& steps) {
  std::vector<int64_t> all;
  for (const std::vector<int64_t>& step : steps) all.insert(all.end(), step.begin(), step.end());
  return all;
}

std::vector<int64_t> of_all_ranks(const std::vector<Steps>& all) {
  std::vector<int64_t> samples;
  for (const Steps& steps : all) {
    const std::vector<int64_t> own = joined(steps);
    samples.insert(samples.end(), own.begin(), own.end());
  }
  std::sort(samples.begin(), samples.end());
  return samples;
}

std::vector<int64_t> up_to(int64_t n) {
  std::vector<int64_t> all;
  for (int64_t i = 0; i < n; ++i) all.push_back(i);
  return all;
}

lab::Deal random_deal(lab::Dice& dice, int ranks) {
  const auto seed = static_cast<uint64_t>(dice.roll(0, 1000000));
  return {dice.roll(1, 60), dice.roll(1, 12), seed, ranks};
}

// "" or the first step in which the ranks together have another batch than one rank alone.
std::string other_batch(const lab::Deal& deal, int64_t epoch) {
  lab::Deal alone = deal;
  alone.ranks = 1;
  const Steps wanted = lab::shard(alone, epoch, 0);
  const std::vector<Steps> given = dealt(deal, epoch);
  for (size_t s = 0; s < wanted.size(); ++s) {
    std::vector<int64_t> batch, all = wanted[s];
    for (const Steps& steps : given)
      if (s < steps.size()) batch.insert(batch.end(), steps[s].begin(), steps[s].end());
    std::sort(batch.begin(), batch.end());
    std::sort(all.begin(), all.end());
    if (batch != all) return cat("step ", s, ": the ranks have ", text_of(batch), ", one rank alone has ", text_of(all));
  }
  return "";
}

std::string text_of(const lab::Deal& deal, int64_t epoch) {
  std::string text;
  for (const Steps& steps : dealt(deal, epoch)) {
    for (const std::vector<int64_t>& step : steps) text += text_of(step);
    text += "; ";
  }
  return text;
}

}  // namespace

LAB_PROBE("11.5") { return text_of({6, 2, 5, 1}, 0) + text_of({6, 2, 5, 1}, 1) + text_of({6, 2, 6, 1}, 0); }
LAB_PROBE("11.5") { return text_of({8, 4, 5, 2}, 0) + text_of({8, 4, 5, 2}, 1); }
LAB_PROBE("11.5") { return text_of({7, 4, 5, 3}, 0); }
LAB_PROBE("11.5") { return text_of({5, 4, 5, 4}, 0); }
LAB_PROBE("11.5") { return text_of({12, 6, 5, 4}, 0); }

TEST_SUITE("11.5") {
  TEST_CASE("every sample once an epoch, on one rank") {
    lab::Dice dice(1141);
    for (int round = 0; round < 20; ++round) {
      for (int ranks = 1; ranks <= kRanks; ++ranks) {
        const lab::Deal deal = random_deal(dice, ranks);
        CAPTURE(deal.samples);
        CAPTURE(deal.batch);
        CAPTURE(ranks);
        CHECK(of_all_ranks(dealt(deal, round)) == up_to(deal.samples));
      }
    }
  }
  TEST_CASE("every rank has as many steps as one rank alone: one for each batch, the short last one, too") {
    lab::Dice dice(1142);
    for (int round = 0; round < 20; ++round) {
      const lab::Deal deal = random_deal(dice, 1 + round % kRanks);
      std::vector<size_t> steps;
      for (const Steps& of_rank : dealt(deal, round)) steps.push_back(of_rank.size());
      CAPTURE(deal.samples);
      CAPTURE(deal.batch);
      CHECK(steps == std::vector<size_t>(static_cast<size_t>(deal.ranks),
                                         static_cast<size_t>((deal.samples + deal.batch - 1) / deal.batch)));
    }
  }
  TEST_CASE("in each step the ranks together have the batch of one rank alone") {
    lab::Dice dice(1143);
    for (int round = 0; round < 20; ++round) {
      const lab::Deal deal = random_deal(dice, 2 + round % (kRanks - 1));
      CAPTURE(deal.samples);
      CAPTURE(deal.batch);
      CAPTURE(deal.ranks);
      CHECK(other_batch(deal, round) == "");
    }
  }
  TEST_CASE("in each step no rank has more than one sample more than another") {
    lab::Dice dice(1144);
    for (int round = 0; round < 20; ++round) {
      const lab::Deal deal = random_deal(dice, 2 + round % (kRanks - 1));
      const std::vector<Steps> all = dealt(deal, 0);
      size_t uneven = 0;
      for (size_t s = 0; s < all[0].size(); ++s) {
        size_t least = 1000, most = 0;
        for (const Steps& steps : all) {
          const size_t size = s < steps.size() ? steps[s].size() : 0;
          least = std::min(least, size), most = std::max(most, size);
        }
        uneven += most > least + 1;
      }
      CAPTURE(deal.batch);
      CAPTURE(deal.ranks);
      CHECK(uneven == 0);
    }
  }
  TEST_CASE("another order in every epoch and for every seed, and the same when asked again") {
    const uint64_t seed = 100 * lab::seed();
    std::set<std::vector<int64_t>> orders;
    for (uint64_t s = 0; s < 4; ++s)
      for (int64_t epoch = 0; epoch < 4; ++epoch) orders.insert(joined(lab::shard({40, 7, seed + s, 1}, epoch, 0)));
    CHECK(orders.size() == 16);
    CHECK(orders.count(up_to(40)) == 0);
    CHECK(joined(lab::shard({40, 7, seed, 3}, 2, 1)) == joined(lab::shard({40, 7, seed, 3}, 2, 1)));
  }
  TEST_CASE("other samples come together in every epoch, and the order is the same for every size of batch") {
    const uint64_t seed = 100 * lab::seed();
    std::set<std::vector<int64_t>> firsts;
    for (int64_t epoch = 0; epoch < 16; ++epoch) {
      std::vector<int64_t> first = lab::shard({40, 7, seed, 1}, epoch, 0).at(0);
      std::sort(first.begin(), first.end());
      firsts.insert(first);
      const Steps tens = lab::shard({40, 10, seed, 1}, epoch, 0), twenties = lab::shard({40, 20, seed, 1}, epoch, 0);
      std::vector<int64_t> two = tens.at(0), one = twenties.at(0);
      two.insert(two.end(), tens.at(1).begin(), tens.at(1).end());
      std::sort(two.begin(), two.end());
      std::sort(one.begin(), one.end());
      CAPTURE(epoch);
      CHECK(text_of(two) == text_of(one));  // two batches of 10 and one of 20
    }
    CHECK(firsts.size() >= 15);  // different first batches in 16 epochs
  }
}
