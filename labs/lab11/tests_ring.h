// Lab 11, exercise 11.2: the sum in a ring.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "labs/lab11/ring.h"
#include "labs/lab11/tests_common.h"

namespace {

using namespace vitrail;

// What to do with each rank's floats.
using RingStep = void (*)(Communicator&, std::span<float>);

AfterRun after_ring(const OfRanks& lists, const lab::Weather& weather, RingStep step = lab::ring_all_reduce<float>) {
  return on_ranks(lists, weather, [step](Communicator& comm, std::vector<double>& list) {
    std::vector<float> values = floats_in(list);
    step(comm, values);
    list = doubles_in(values);
  });
}

// Of each rank only its chunk r + 1; the others are 0.
OfRanks own_chunks(const OfRanks& lists) {
  const int ranks = static_cast<int>(lists.size());
  OfRanks own = lists;
  for (int r = 0; r < ranks; ++r) {
    const auto n = static_cast<int64_t>(own[static_cast<size_t>(r)].size());
    const lab::Chunk chunk = lab::chunk_of(n, ranks, (r + 1) % ranks);  // several ways to cut are even
    for (int64_t i = 0; i < n; ++i)
      if (i < chunk.begin || i >= chunk.end) own[static_cast<size_t>(r)][static_cast<size_t>(i)] = 0;
  }
  return own;
}

// Rank r has the numbers 10^r (i + 1): the sum shows who has added what.
OfRanks decimal(int ranks, int64_t n) {
  OfRanks lists;
  double power = 1;
  for (int r = 0; r < ranks; ++r, power *= 10) {
    lists.emplace_back();
    for (int64_t i = 0; i < n; ++i) lists.back().push_back(power * static_cast<double>(i + 1));
  }
  return lists;
}

std::string chunks_text(int64_t n, int ranks) {
  std::string text;
  for (int c = 0; c < ranks; ++c) {
    const lab::Chunk chunk = lab::chunk_of(n, ranks, c);
    text += cat(chunk.begin, "-", chunk.end, " ");
  }
  return text;
}

bool same_bits(const OfRanks& lists) {
  for (const std::vector<double>& list : lists)
    if (std::memcmp(list.data(), lists[0].data(), list.size() * sizeof(double)) != 0) return false;
  return true;
}

}  // namespace

LAB_PROBE("11.2") { return chunks_text(7, 3) + "; " + chunks_text(2, 4) + "; " + chunks_text(4000000003, 4); }
LAB_PROBE("11.2") { return text_of(after_ring(decimal(2, 4), {}), 8); }
LAB_PROBE("11.2") { return text_of(after_ring(decimal(3, 7), {}), 8); }
LAB_PROBE("11.2") {
  const AfterRun after = after_ring(decimal(4, 8), {});
  return text_of(after, 8) + cat(after.traffic.all_messages(), " ", after.traffic.all_bytes());
}
LAB_PROBE("11.2") {
  const lab::Weather handed_over{.handed_over = true};
  return text_of(after_ring(decimal(3, 6), handed_over, lab::ring_reduce_scatter<float>), 8) +
         text_of(after_ring(own_chunks(decimal(3, 6)), handed_over, lab::ring_all_gather<float>), 8);
}
LAB_PROBE("11.2") { return text_of(after_ring(decimal(3, 6), {}, lab::ring_reduce_scatter<float>), 8); }
LAB_PROBE("11.2") { return text_of(after_ring(own_chunks(decimal(3, 6)), {}, lab::ring_all_gather<float>), 8); }

TEST_SUITE("11.2") {
  TEST_CASE("chunks: all of the array, in order, sizes that differ by one at most") {
    for (const int64_t n : {0, 1, 3, 4, 7, 1000}) {
      for (int ranks = 1; ranks <= 5; ++ranks) {
        int64_t at = 0, wrong = 0;
        for (int c = 0; c < ranks; ++c) {
          const lab::Chunk chunk = lab::chunk_of(n, ranks, c);
          wrong += chunk.begin != at || chunk.size() < n / ranks || chunk.size() > (n + ranks - 1) / ranks;
          at = chunk.end;
        }
        CAPTURE(n);
        CAPTURE(ranks);
        CHECK(wrong == 0);
        CHECK(at == n);
      }
    }
    CHECK(lab::chunk_of(4000000003, 4, 3).end == 4000000003);
  }
  TEST_CASE("all ranks have the sum: any length, also shorter than there are ranks, whatever the messages take") {
    lab::Dice dice(1111);
    for (int ranks = 1; ranks <= kRanks; ++ranks) {
      for (const int64_t n : {0, 1, 2, 3, 5, 8, 17}) {
        const OfRanks lists = whole_numbers(ranks, n, dice);
        const OfRanks wanted(lists.size(), sum_of(lists));
        for (const lab::Weather& weather : weathers(1111)) {
          CAPTURE(n);
          CHECK(problem_of(after_ring(lists, weather), wanted, 0, weather) == "");
        }
      }
    }
  }
  TEST_CASE("the first half: chunk r + 1 of rank r is the sum") {
    lab::Dice dice(1112);
    for (int ranks = 1; ranks <= kRanks; ++ranks) {
      const OfRanks lists = whole_numbers(ranks, 11, dice);
      AfterRun after = after_ring(lists, {}, lab::ring_reduce_scatter<float>);
      after.lists = own_chunks(after.lists);
      CHECK(problem_of(after, own_chunks(OfRanks(lists.size(), sum_of(lists))), 0, {}) == "");
    }
  }
  TEST_CASE("the second half: chunk r + 1 of each rank r to all, unchanged") {
    lab::Dice dice(1113);
    for (int ranks = 1; ranks <= kRanks; ++ranks) {
      OfRanks wanted(static_cast<size_t>(ranks), whole_numbers(1, 11, dice)[0]);
      for (std::vector<double>& list : wanted)
        for (double& x : list) x += 5000;
      OfRanks lists = own_chunks(wanted);
      for (std::vector<double>& list : lists)
        for (double& x : list) x = x == 0 ? -77 : x;  // what is there already does not matter
      CHECK(problem_of(after_ring(lists, {}, lab::ring_all_gather<float>), wanted, 0, {}) == "");
    }
  }
  TEST_CASE("a rank sends 2 (p - 1) / p of the array, to its right neighbour alone, in 2 (p - 1) rounds") {
    for (int ranks = 1; ranks <= kRanks; ++ranks) {
      const int64_t n = 12 * ranks;
      const AfterRun after = after_ring(decimal(ranks, n), {});
      CAPTURE(ranks);
      CHECK(after.trouble == "");
      CHECK(after.traffic.all_bytes() == ranks * 2 * (ranks - 1) * 12 * 4);
      CHECK(*std::max_element(after.traffic.bytes.begin(), after.traffic.bytes.end()) == 2 * (ranks - 1) * 12 * 4);
      CHECK(*std::max_element(after.traffic.messages.begin(), after.traffic.messages.end()) == 2 * (ranks - 1));
      CHECK(after.traffic.rounds == 2 * (ranks - 1));
    }
  }
  TEST_CASE("the same bits on all ranks, though each chunk was added in another order") {
    for (int ranks = 2; ranks <= kRanks; ++ranks) {
      OfRanks lists;
      for (int r = 0; r < ranks; ++r)
        lists.push_back(to_vector<double>(contiguous(lab::random({37}, 1114 + static_cast<uint64_t>(r), 0, 1000))));
      const AfterRun after = after_ring(lists, weathers(1114)[1]);
      CHECK(after.trouble == "");
      CHECK(same_bits(after.lists));
      CHECK(difference_of(after.lists[0], sum_of(lists), 1e-3) == "");
    }
  }
  TEST_CASE("doubles, too") {
    lab::Dice dice(1115);
    const OfRanks lists = whole_numbers(3, 10, dice);
    const AfterRun after = on_ranks(lists, {}, [](Communicator& comm, std::vector<double>& list) {
      for (double& x : list) x += 1e-9;
      lab::ring_all_reduce(comm, std::span(list));
    });
    CHECK(problem_of(after, OfRanks(3, sum_of(lists)), 1e-8, {}) == "");
  }
}
