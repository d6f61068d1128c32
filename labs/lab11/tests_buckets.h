// Lab 11, exercise 11.4: buckets that leave during the backward pass.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "comm/all_reduce.h"
#include "labs/lab11/buckets.h"
#include "labs/lab11/tests_common.h"

namespace {

using namespace vitrail;

// The sizes of the buckets that left, in their order.
class Log {
 public:
  void note(int64_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    sizes_.push_back(size);
  }
  std::vector<int64_t> sizes() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return sizes_;
  }
  // Until `count` buckets have left, but not for ever.
  std::vector<int64_t> wait_for(size_t count) const {
    for (int i = 0; i < 1000 && sizes().size() < count; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return sizes();
  }
  // After a time that is enough for a bucket to leave, which none should.
  std::vector<int64_t> a_while_later() const {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    return sizes();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<int64_t> sizes_;
};

void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

// The bucket is read some time after it has been sent off: what is changed meanwhile is seen.
lab::Buckets::Reduce noting(Log& log) {
  return [&log](Communicator& comm, std::span<float> values) {
    sleep_ms(3);
    log.note(static_cast<int64_t>(values.size()));
    all_reduce(comm, values);
  };
}

std::vector<int64_t> sizes_of_buckets(const std::vector<int64_t>& sizes, int64_t bucket_size) {
  std::vector<int64_t> found;
  lab::run_watched(1, {}, [&](Communicator& comm) {
    Log log;
    found = lab::Buckets(comm, sizes, bucket_size, noting(log)).bucket_sizes();
  });
  return found;
}

// An update: which gradients a rank has, in the order in which they become whole.
struct Update {
  std::vector<std::vector<size_t>> order;  // of each rank
  uint64_t stream = 0;
  std::vector<float> gradient(int rank, size_t i, int64_t size) const {
    std::vector<float> g;
    for (int64_t k = 0; k < size; ++k) {
      const auto at = static_cast<uint64_t>(k) + 1000 * i + 100000 * static_cast<uint64_t>(rank);
      g.push_back(static_cast<float>(Rng(stream).below(at, 2001)) - 1000);
    }
    return g;
  }
};

struct Case {
  std::vector<int64_t> sizes;
  int64_t bucket_size;
  std::vector<Update> updates;
};

// The sums of all updates, one behind the other; `left`: the buckets as each rank sent them.
AfterRun after_updates(const Case& c, const lab::Weather& weather, OfRanks* left = nullptr) {
  const size_t ranks = c.updates[0].order.size();
  std::vector<Log> logs(ranks);
  const AfterRun after = on_ranks(OfRanks(ranks), weather, [&](Communicator& comm, std::vector<double>& list) {
    const auto r = static_cast<size_t>(comm.rank());
    lab::Buckets buckets(comm, c.sizes, c.bucket_size, noting(logs[r]));
    for (const Update& update : c.updates) {
      buckets.begin();
      for (const size_t i : update.order[r]) buckets.ready(i, update.gradient(comm.rank(), i, c.sizes[i]));
      buckets.finish();
      for (size_t i = 0; i < c.sizes.size(); ++i)
        for (const float x : buckets.sum(i)) list.push_back(static_cast<double>(x));
    }
  });
  if (left) {
    left->clear();
    for (const Log& log : logs) {
      const std::vector<int64_t> sizes = log.sizes();
      left->emplace_back(sizes.begin(), sizes.end());
    }
  }
  return after;
}

OfRanks wanted_updates(const Case& c) {
  const size_t ranks = c.updates[0].order.size();
  std::vector<double> all;
  for (const Update& update : c.updates) {
    for (size_t i = 0; i < c.sizes.size(); ++i) {
      std::vector<double> sum(static_cast<size_t>(c.sizes[i]), 0);
      for (size_t r = 0; r < ranks; ++r) {
        if (std::count(update.order[r].begin(), update.order[r].end(), i) == 0) continue;
        const std::vector<float> g = update.gradient(static_cast<int>(r), i, c.sizes[i]);
        for (size_t k = 0; k < sum.size(); ++k) sum[k] += static_cast<double>(g[k]);
      }
      all.insert(all.end(), sum.begin(), sum.end());
    }
  }
  return OfRanks(ranks, all);
}

// What left while one rank, alone, made these ready, and when: "after 0: 8 | after 2: | at the end: 3".
std::string departures(const std::vector<int64_t>& sizes, int64_t bucket_size, const std::vector<size_t>& order,
                       const std::vector<size_t>& expected) {
  std::string text;
  lab::run_watched(1, {}, [&](Communicator& comm) {
    Log log;
    lab::Buckets buckets(comm, sizes, bucket_size, noting(log));
    buckets.begin();
    size_t told = 0;
    const auto tell = [&](const std::vector<int64_t>& left) {
      for (; told < left.size(); ++told) text += cat(" ", left[told]);
    };
    for (size_t k = 0; k < order.size(); ++k) {
      buckets.ready(order[k], std::vector<float>(static_cast<size_t>(sizes[order[k]]), 1.0f));
      text += cat(" | after ", order[k], ":");
      tell(expected[k] > told ? log.wait_for(expected[k]) : log.a_while_later());
    }
    buckets.finish();
    text += " | at the end:";
    tell(log.sizes());
  });
  return text;
}

const std::vector<size_t> kInOrder{0, 1, 2, 3, 4};

// What is wrong about the waiting, if a sum takes its time: "" or a sentence. `is_ready`: the gradient is there before
// finish().
std::string waiting(bool is_ready) {
  std::string problem;
  lab::run_watched(1, {}, [&](Communicator& comm) {
    std::atomic<bool> returned = false, waited = false, done = false;
    {
      lab::Buckets buckets(comm, {2}, 1, [&](Communicator&, std::span<float>) {
        for (int i = 0; i < 300 && !returned; ++i) sleep_ms(1);
        waited = !returned;
        sleep_ms(20);
        done = true;
      });
      buckets.begin();
      if (is_ready) buckets.ready(0, std::vector<float>{1, 2});
      returned = true;
      buckets.finish();
      if (!done) problem = "finish() returned before the sum was done";
    }
    if (waited) problem = "ready() waited until the sum was done";
    if (!done) problem = "the sum was never started";
  });
  return problem;
}

// The last number of each bucket at the moment at which its sum begins. The gradients are large: copying one takes longer than
// starting a sum. One update with both gradients for each of `numbers`, then one without the second.
std::vector<float> read_at_once(const std::vector<float>& numbers) {
  constexpr int64_t kMany = 10000000;
  std::vector<float> seen, gradient(kMany);
  lab::run_watched(1, {}, [&](Communicator& comm) {
    lab::Buckets buckets(comm, {kMany, kMany}, kMany, [&](Communicator&, std::span<float> v) { seen.push_back(v.back()); });
    for (const float number : numbers) {
      std::fill(gradient.begin(), gradient.end(), number);
      buckets.begin();
      buckets.ready(0, gradient);
      buckets.ready(1, gradient);
      buckets.finish();
    }
    buckets.begin();
    buckets.ready(0, gradient);
    buckets.finish();
  });
  return seen;
}

}  // namespace

LAB_PROBE("11.4") { return text_of(sizes_of_buckets({3, 5, 1, 7, 2}, 6)) + text_of(sizes_of_buckets({4, 4, 4}, 8)); }
LAB_PROBE("11.4") { return departures({3, 5, 1, 7, 2}, 6, {0, 1, 3, 2, 4}, {0, 1, 1, 2, 3}); }
LAB_PROBE("11.4") { return departures({2, 2, 2}, 2, {2, 0}, {0, 1}); }
LAB_PROBE("11.4") {
  const Case c{{2, 1, 2}, 3, {{{{0, 1, 2}, {0, 1, 2}}, 1}, {{{0, 1, 2}, {1, 0, 2}}, 2}}};
  return text_of(after_updates(c, {}));
}
LAB_PROBE("11.4") {
  const Case c{{2, 1, 2}, 3, {{{{0, 1, 2}, {0, 1, 2}}, 1}, {{{0, 1, 2}, {1}}, 2}, {{{2}, {}}, 3}}};
  return text_of(after_updates(c, {}));
}
LAB_PROBE("11.4") {
  const Case c{{2, 3}, 1, {{{{0, 1}, {1, 0}}, 1}}};
  return text_of(after_updates(c, {}));
}

LAB_PROBE("11.4") { return waiting(true) + "; " + waiting(false); }

TEST_SUITE("11.4") {
  TEST_CASE("a bucket takes gradients until it has enough; the last one has what is left") {
    CHECK(sizes_of_buckets({3, 5, 1, 7, 2}, 6) == std::vector<int64_t>{8, 8, 2});
    CHECK(sizes_of_buckets({3, 5, 1, 7, 2}, 1) == std::vector<int64_t>{3, 5, 1, 7, 2});
    CHECK(sizes_of_buckets({3, 5, 1, 7, 2}, 100) == std::vector<int64_t>{18});
    CHECK(sizes_of_buckets({4, 4, 4, 4}, 8) == std::vector<int64_t>{8, 8});
    CHECK(sizes_of_buckets({50, 1, 1}, 6) == std::vector<int64_t>{50, 2});
  }
  TEST_CASE("ready() does not wait for the sum, finish() does") {
    CHECK(waiting(true) == "");
    CHECK(waiting(false) == "");  // nothing was ready before finish()
  }
  TEST_CASE("a bucket has its numbers when it leaves: gradients are copied, what is missing is set to 0, before") {
    CHECK(read_at_once({1, 2, 3}) == std::vector<float>{1, 1, 2, 2, 3, 3, 3, 0});
  }
  TEST_CASE("the sums of all gradients, odd sizes, one update after another, whatever the messages take") {
    lab::Dice dice(1131);
    for (size_t ranks = 1; ranks <= kRanks; ++ranks) {
      Case c{{}, dice.roll(1, 20), {}};
      for (int i = 0; i < 5; ++i) c.sizes.push_back(2 * dice.roll(0, 6) + 1);
      for (uint64_t u = 0; u < 3; ++u) c.updates.push_back({std::vector<std::vector<size_t>>(ranks, kInOrder), 7 * u + ranks});
      for (const lab::Weather& weather : weathers(1131))
        CHECK(problem_of(after_updates(c, weather), wanted_updates(c), 0, weather) == "");
    }
  }
  TEST_CASE("a bucket leaves when its last gradient is there, not before and not at the end") {
    CHECK(departures({3, 5, 1, 7, 2}, 6, {0, 1, 2, 3, 4}, {0, 1, 1, 2, 3}) ==
          " | after 0: | after 1: 8 | after 2: | after 3: 8 | after 4: 2 | at the end:");
    CHECK(departures({3, 5, 1, 7, 2}, 6, {1, 0, 3, 2}, {0, 1, 1, 2}) ==
          " | after 1: | after 0: 8 | after 3: | after 2: 8 | at the end: 2");
  }
  TEST_CASE("a bucket that is whole waits for those before it") {
    CHECK(departures({2, 3, 4}, 1, {2, 1, 0}, {0, 0, 3}) == " | after 2: | after 1: | after 0: 2 3 4 | at the end:");
    CHECK(departures({2, 3, 4}, 1, {1, 2}, {0, 0}) == " | after 1: | after 2: | at the end: 2 3 4");
  }
  TEST_CASE("all ranks send in one order, though their gradients become whole in others") {
    for (size_t ranks = 2; ranks <= kRanks; ++ranks) {
      Case c{{4, 1, 3, 2, 5}, 4, {}};
      std::vector<std::vector<size_t>> order(ranks, kInOrder);
      order[1] = {4, 3, 2, 1, 0};
      if (ranks > 2) order[2] = {2, 0, 4, 1, 3};
      c.updates = {{order, 1}, {order, 2}};
      for (const lab::Weather& weather : weathers(1132)) {
        OfRanks left;
        CHECK(problem_of(after_updates(c, weather, &left), wanted_updates(c), 0, weather) == "");
        for (const std::vector<double>& buckets : left) CHECK(buckets == std::vector<double>{4, 4, 7, 4, 4, 7});
      }
    }
  }
  TEST_CASE("what a rank has not is 0, whatever stood there before; it takes part in every bucket") {
    for (size_t ranks = 2; ranks <= kRanks; ++ranks) {
      std::vector<std::vector<size_t>> some(ranks, kInOrder), one(ranks);
      some[0] = {1, 2, 4}, some[1] = {0};
      one[ranks - 1] = {3};
      const Case c{
          {2, 3, 1, 4, 3}, 4, {{std::vector<std::vector<size_t>>(ranks, kInOrder), 1}, {some, 2}, {one, 3}, {some, 4}}};
      for (const lab::Weather& weather : weathers(1133))
        CHECK(problem_of(after_updates(c, weather), wanted_updates(c), 0, weather) == "");
    }
  }
}
