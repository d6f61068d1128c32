// Ranks, messages and sums: on threads of this process.
#include <doctest/doctest.h>

#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <random>
#include <thread>

#include "base/error.h"
#include "comm/all_reduce.h"
#include "comm/collectives.h"
#include "comm/heartbeat.h"
#include "comm/threads.h"
#include "comm/world.h"

using namespace vitrail;

namespace {

// Numbers whose sum depends on its order: many magnitudes, both signs.
template <class T>
std::vector<T> numbers(int64_t n, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> mantissa(-1, 1), exponent(-20, 20);
  std::vector<T> values(static_cast<size_t>(n));
  for (T& x : values) x = static_cast<T>(mantissa(generator) * std::exp2(exponent(generator)));
  return values;
}

// The definition: of [first, last) the halves at the largest power of two below the length, each added up so.
template <class T>
T tree(const std::vector<T>& x, size_t first, size_t last) {
  if (last - first == 1) return x[first];
  const size_t half = std::bit_ceil(last - first) / 2;
  return tree(x, first, first + half) + tree(x, first + half, last);
}

template <class T>
std::vector<T> expected_sum(int ranks, int64_t n) {
  std::vector<std::vector<T>> all;
  for (int r = 0; r < ranks; ++r) all.push_back(numbers<T>(n, static_cast<unsigned>(r)));
  std::vector<T> sum(static_cast<size_t>(n));
  for (size_t i = 0; i < sum.size(); ++i) {
    std::vector<T> column;
    for (const std::vector<T>& x : all) column.push_back(x[i]);
    sum[i] = tree(column, 0, column.size());
  }
  return sum;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// In the order of a ring: each slice begins at another rank. What a library may do.
std::vector<float> ring_sum(int ranks, int64_t n) {
  std::vector<float> sum(static_cast<size_t>(n));
  const Slices slices = even_slices(n, ranks);
  for (int s = 0; s < ranks; ++s)
    for (int k = 0; k < ranks; ++k) {
      const std::vector<float> x = numbers<float>(n, static_cast<unsigned>((s + k) % ranks));
      for (int64_t i = slices.begin[s]; i < slices.end[s]; ++i) sum[i] = k == 0 ? x[i] : sum[i] + x[i];
    }
  return sum;
}

}  // namespace

TEST_CASE_TEMPLATE("a sum over the ranks is that of the tree, to the bit, on every rank", T, float, double) {
  for (const int ranks : {1, 2, 3, 4, 5, 6, 7, 8, 12, 16})
    for (const int64_t n : {0, 1, 2, 7, 16, 1001}) {
      CAPTURE(ranks);
      CAPTURE(n);
      const std::vector<T> expected = expected_sum<T>(ranks, n);
      run_ranks(ranks, [&](Communicator& comm) {
        std::vector<T> x = numbers<T>(n, static_cast<unsigned>(comm.rank()));
        all_reduce(comm, std::span(x));
        if (!same_bits(x, expected)) fail(ErrorKind::kValue, "test", "rank ", comm.rank(), " has other bits");
      });
    }
}

TEST_CASE("another order gives other bits: what the test above could not see otherwise") {
  CHECK(same_bits(expected_sum<float>(2, 1001), ring_sum(2, 1001)));  // of two there is one order
  for (const int ranks : {3, 4, 8}) CHECK_FALSE(same_bits(expected_sum<float>(ranks, 1001), ring_sum(ranks, 1001)));
}

TEST_CASE("a rank that has nothing to add changes nothing, not even the sign of a zero") {
  for (const int ranks : {2, 3, 4}) {
    std::vector<float> first = {0.0f, -0.0f, 1.5f, -2e-42f};
    run_ranks(ranks, [&](Communicator& comm) {
      std::vector<float> x(first.size(), static_cast<float>(kAddsNothing));
      if (comm.rank() == 0) x = first;
      all_reduce(comm, std::span(x));
      if (!same_bits(x, first)) fail(ErrorKind::kValue, "test", "rank ", comm.rank(), " has other bits");
    });
  }
}

TEST_CASE("in two halves: each rank the sum of its slice, then all slices to all; the bits of the whole") {
  for (const int ranks : {1, 2, 3, 4, 7}) {
    const int64_t n = 503;
    const std::vector<float> expected = expected_sum<float>(ranks, n);
    run_ranks(ranks, [&](Communicator& comm) {
      // Uneven, one of them empty.
      Slices slices = even_slices(n, comm.size());
      if (comm.size() > 2) slices.end[0] = slices.begin[1] = 0, slices.begin[0] = 0;
      std::vector<float> x = numbers<float>(n, static_cast<unsigned>(comm.rank()));
      reduce_scatter(comm, std::span(x), slices);
      const auto own = static_cast<size_t>(comm.rank());
      for (int64_t i = 0; i < n; ++i)
        if (i < slices.begin[own] || i >= slices.end[own]) x[static_cast<size_t>(i)] = NAN;  // not to be read
      all_gather(comm, std::span(x), slices);
      if (!same_bits(x, expected)) fail(ErrorKind::kValue, "test", "rank ", comm.rank(), " has other bits");
    });
  }
}

TEST_CASE("in bf16 messages: the same bits on all ranks, within the rounding of each summand and of the sum, half the bytes") {
  for (const int ranks : {2, 3, 4}) {
    const int64_t n = 997;
    std::vector<std::vector<float>> results(static_cast<size_t>(ranks));
    std::vector<double> exact(static_cast<size_t>(n)), largest(static_cast<size_t>(n));
    for (int r = 0; r < ranks; ++r) {
      const std::vector<float> x = numbers<float>(n, static_cast<unsigned>(r));
      for (size_t i = 0; i < x.size(); ++i) exact[i] += x[i], largest[i] += std::abs(x[i]);
    }
    run_ranks(ranks, [&](Communicator& comm) {
      std::vector<float> x = numbers<float>(n, static_cast<unsigned>(comm.rank()));
      all_reduce_bf16(comm, std::span(x));
      check(comm.sent() <= 2.0 * 2 * n * (ranks - 1) / ranks + 4 * ranks, ErrorKind::kValue, "test", "sent ", comm.sent());
      results[static_cast<size_t>(comm.rank())] = x;
    });
    for (const std::vector<float>& x : results) CHECK(same_bits(x, results[0]));
    double worst = 0;
    for (size_t i = 0; i < exact.size(); ++i) worst = std::max(worst, std::abs(results[0][i] - exact[i]) / largest[i]);
    CHECK(worst <= 2.0 / 256);  // 8 bits of mantissa: half a unit for each summand, half for the sum
    CHECK(worst > 1e-4);        // it was rounded
  }
}

TEST_CASE("a broadcast reaches all ranks from any root, and texts of any length are gathered") {
  for (const int ranks : {1, 2, 3, 5, 8})
    for (int root = 0; root < ranks; ++root)
      run_ranks(ranks, [&](Communicator& comm) {
        std::string text = comm.rank() == root ? "said by " + std::to_string(root) : "";
        broadcast(comm, text, root);
        check(text == "said by " + std::to_string(root), ErrorKind::kValue, "test", text);
        const std::vector<std::string> all = all_gather(comm, std::string(static_cast<size_t>(3 * comm.rank()), 'x'));
        for (size_t r = 0; r < all.size(); ++r) check(all[r].size() == 3 * r, ErrorKind::kValue, "test", "rank ", r);
      });
}

TEST_CASE("who waits for a rank without a sign of life gives up, and says for whom, and in what") {
  std::string message;
  try {
    run_ranks(3, [&](Communicator& comm) {
      if (comm.rank() == 2) {  // says nothing, and is there
        std::this_thread::sleep_for(std::chrono::milliseconds(1500));
        return;
      }
      const Heartbeat heartbeat(comm, 0.2);
      comm.set_activity("update 17");
      std::vector<float> x(8, 1);
      all_reduce(comm, std::span(x));
    });
  } catch (const Error& e) {
    message = e.what();
  }
  CHECK(message.find("no sign of life from rank 2 on this process for 0.2 s, in update 17") != std::string::npos);
}

TEST_CASE("who computes for long is not taken for lost, nor who has ended as it should") {
  run_ranks(4, [](Communicator& comm) {
    const Heartbeat heartbeat(comm, 0.2);
    if (comm.rank() == 1) std::this_thread::sleep_for(std::chrono::milliseconds(900));
    barrier(comm);
    if (comm.rank() != 3) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    comm.wait(std::vector<TransferPtr>{});
  });
}

TEST_CASE("nobody leaves a barrier before all have come") {
  for (const int ranks : {1, 2, 3, 5, 8}) {
    std::atomic<int> arrived{0};
    run_ranks(ranks, [&](Communicator& comm) {
      for (int round = 1; round <= 20; ++round) {
        ++arrived;
        barrier(comm);
        if (arrived < round * ranks) fail(ErrorKind::kValue, "test", "rank ", comm.rank(), " left early");
      }
    });
  }
}

TEST_CASE("the error of one rank ends all") {
  CHECK_THROWS_WITH_AS(run_ranks(4,
                                 [](Communicator& comm) {
                                   if (comm.rank() == 2) fail(ErrorKind::kData, "test", "a broken file");
                                   barrier(comm);
                                 }),
                       "[test] a broken file", Error);
  CHECK_THROWS_AS(run_ranks(2,
                            [](Communicator& comm) {
                              if (comm.rank() == 1) comm.abort(6);
                              barrier(comm);
                            }),
                  Aborted);
}

TEST_CASE("one process alone is one rank, and has nobody to talk to") {
  const auto comm = alone();
  CHECK(comm->size() == 1);
  CHECK(comm->rank() == 0);
  CHECK(comm->ranks_here() == std::vector<int>{0});
  std::vector<float> x = {1, 2};
  all_reduce(*comm, std::span(x));
  CHECK(x == std::vector<float>{1, 2});
  CHECK_THROWS_AS(comm->send(1, {}), Error);
}
