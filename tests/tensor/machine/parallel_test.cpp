#include "tensor/machine/parallel.h"

#include <doctest/doctest.h>

#include <atomic>
#include <limits>
#include <mutex>
#include <set>

#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::refuses;

namespace {

class Threads {
 public:
  explicit Threads(int count) : before_(num_threads()) { set_num_threads(count); }
  ~Threads() { set_num_threads(before_); }

 private:
  int before_;
};

std::set<std::pair<int64_t, int64_t>> borders(int64_t n, int64_t grain) {
  std::mutex mutex;
  std::set<std::pair<int64_t, int64_t>> result;
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    std::lock_guard lock(mutex);
    result.emplace(begin, end);
  });
  return result;
}

}  // namespace

TEST_CASE("parallel_for: the borders do not depend on the number of threads and cover the range once") {
  for (int64_t n : {0, 1, 99, 1000, 100003}) {
    for (int64_t grain : {1, 10, 5000}) {
      const Threads one(1);
      const auto expected = borders(n, grain);
      int64_t place = 0;
      for (const auto& [begin, end] : expected) {
        CHECK(begin == place);
        place = end;
      }
      CHECK(place == n);
      for (int count : {2, 3, 4}) {
        const Threads many(count);
        CHECK(borders(n, grain) == expected);
      }
    }
  }
}

TEST_CASE("parallel_for: an exception inside a chunk arrives at the caller, and the next call works") {
  const Threads four(4);
  const auto broken = [] {
    parallel_for(1000, 1, [](int64_t begin, int64_t) {
      if (begin >= 500) fail(ErrorKind::kValue, "inside", "broken chunk");
    });
  };
  CHECK(refuses(broken, ErrorKind::kValue, "[inside] broken chunk"));
  std::atomic<int64_t> total{0};
  parallel_for(1000, 1, [&](int64_t begin, int64_t end) { total += end - begin; });
  CHECK(total == 1000);
}

TEST_CASE("parallel_for: a nested call runs every chunk too") {
  const Threads four(4);
  std::atomic<int64_t> total{0};
  parallel_for(10, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) parallel_for(100, 1, [&](int64_t b, int64_t e) { total += e - b; });
  });
  CHECK(total == 1000);
}

TEST_CASE("parallel_reduce: the sum has the same bits for any number of threads, the identity for nothing") {
  const auto sum = [](int64_t n) {
    const auto map = [](int64_t begin, int64_t end) {
      double part = 0;
      for (int64_t i = begin; i < end; ++i) part += 1.0 / static_cast<double>(i + 1);
      return part;
    };
    return parallel_reduce(n, 100, 0.0, map, [](double a, double b) { return a + b; });
  };
  const Threads one(1);
  const double expected = sum(123457);
  for (int count : {2, 3, 4}) {
    const Threads many(count);
    CHECK(sum(123457) == expected);
  }
  CHECK(sum(0) == 0);
}

TEST_CASE("threads: from 1 to 1024") {
  CHECK(refuses([] { set_num_threads(0); }, ErrorKind::kValue, "1 to 1024 threads: asked for 0"));
  CHECK(refuses([] { set_num_threads(1025); }, ErrorKind::kValue, "1 to 1024 threads"));
}

TEST_CASE("parallel_for: a range that ends at the largest integer is covered without overflow") {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  for (const int64_t n : {kMost, kMost - 1, kMost - 127}) {
    const auto found = borders(n, 1);
    int64_t place = 0;
    for (const auto& [begin, end] : found) {
      CHECK(begin == place);
      CHECK(end > begin);
      place = end;
    }
    CHECK(place == n);
    CHECK(borders(n, kMost).size() == 1);
  }
}

TEST_CASE("parallel_for: of several exceptions that of the lowest chunk arrives, whatever the threads") {
  const int before = num_threads();
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    for (int round = 0; round < 200; ++round) {
      int64_t caught = -1;
      try {
        parallel_for(128, 1, [&](int64_t begin, int64_t) {
          if (begin >= 20 && begin % 3 == 2) throw begin;
        });
      } catch (const int64_t& begin) {
        caught = begin;
      }
      CHECK(caught == 20);
    }
  }
  set_num_threads(before);
}
