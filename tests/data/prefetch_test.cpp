#include "data/prefetch.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "data/loader.h"
#include "data/sets/scenes.h"
#include "tensor/machine/parallel.h"
#include "tensor/machine/thread_budget.h"
#include "tensor/view.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

class Threads {
 public:
  explicit Threads(int threads) : before_(num_threads()) { set_num_threads(threads); }
  ~Threads() { set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

Example numbered(int64_t epoch, int64_t position) {
  return {full({1, 2, 2}, static_cast<double>(100 * epoch + position)), Target(position), position};
}

// Everything on, so that every use of random numbers takes part.
LoaderOptions options_with(int64_t workers) {
  LoaderOptions options{.batch_size = 7, .seed = 5, .repeats = 3, .mixing = {.mixup = 0.8, .cutmix = 1}};
  options.workers = workers;
  return options;
}

Transform transform_for(const Dataset& data) {
  Transform transform{preprocessing_for(data.info()), {.mirror = true, .crop_scale = 0.3, .rotate = 10}};
  transform.augmentation.policy = augment::Policy::kRandAugment;
  transform.augmentation.erase = 0.5;
  return transform;
}

std::vector<Batch> epochs(const DatasetPtr& data, int64_t workers, int threads) {
  const Threads guard(threads);
  Loader loader(data, transform_for(*data), options_with(workers));
  std::vector<Batch> all;
  for (int64_t epoch = 0; epoch < 2; ++epoch)
    for (int64_t b = 0; b < loader.batches(); ++b) all.push_back(loader.batch(epoch, b));
  all.push_back(loader.batch(5, 1));  // as after a resume
  all.push_back(loader.batch(0, 0));
  return all;
}

// A data set whose samples fail or take their time.
class Difficult : public Dataset {
 public:
  Difficult(int64_t size, std::set<int64_t> bad, int milliseconds = 0)
      : Dataset({.name = "difficult", .height = 4, .width = 4, .class_names = {"one"}, .mean = {0.5}, .std = {0.5}}),
        size_(size),
        bad_(std::move(bad)),
        milliseconds_(milliseconds) {}
  int64_t size() const override { return size_; }
  int64_t label(int64_t) const override { return 0; }
  Sample sample(int64_t index) const override {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds_));
    const int running = ++running_;
    int most = most_running;
    while (running > most && !most_running.compare_exchange_weak(most, running)) {
    }
    ++asked;
    check(!bad_.contains(index), ErrorKind::kData, "decode", "picture_", index, ".jpg is damaged.");
    --running_;
    return {zeros({1, 4, 4}, Dtype::u8), 0};
  }

  mutable std::atomic<int> asked{0}, most_running{0};

 private:
  int64_t size_;
  std::set<int64_t> bad_;
  int milliseconds_;
  mutable std::atomic<int> running_{0};
};

}  // namespace

TEST_CASE("batches have the same bits for 0 to 3 workers and 1, 2 and 4 threads, in order and after a jump") {
  const auto data = std::make_shared<SceneDataset>(1, true, 24, 32);
  const std::vector<Batch> expected = epochs(data, 0, 1);
  for (const int64_t workers : {0, 1, 2, 3}) {
    for (const int threads : {1, 2, 4}) {
      const std::vector<Batch> got = epochs(data, workers, threads);
      REQUIRE(got.size() == expected.size());
      for (size_t i = 0; i < got.size(); ++i) {
        CHECK(bit_equal(got[i].images, expected[i].images));
        CHECK(bit_equal(got[i].soft_labels, expected[i].soft_labels));
        CHECK(got[i].indices == expected[i].indices);
      }
    }
  }
}

TEST_CASE("examples come in order, whoever makes them, and workers turn to what is asked for next") {
  const Threads guard(4);
  Prefetcher prefetcher(3, 1 << 20, numbered);
  for (int64_t epoch = 0; epoch < 20; ++epoch) {
    const auto examples = prefetcher.take({epoch, 5, 25}, {{epoch + 1, 5, 25}, {epoch + 2, 5, 25}});
    REQUIRE(examples.size() == 20);
    for (int64_t i = 0; i < 20; ++i)
      CHECK(examples[static_cast<size_t>(i)].image.at({0, 1, 1}) == static_cast<double>(100 * epoch + 5 + i));
  }
  CHECK(prefetcher.take({3, 0, 1}, {}).size() == 1);
  CHECK(prefetcher.bytes() == 0);  // what was begun of other ranges is dropped
}

TEST_CASE("workers stop where the memory is full") {
  const Threads guard(2);
  std::atomic<int> made{0};
  {
    Prefetcher prefetcher(2, 10 * 16, [&](int64_t epoch, int64_t position) {
      ++made;
      return numbered(epoch, position);  // 16 bytes
    });
    prefetcher.take({0, 0, 1}, {{0, 1, 1000}});
    for (int i = 0; i < 200 && prefetcher.bytes() < 160; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(prefetcher.bytes() == 160);  // with two threads one worker runs at a time
    CHECK(made == 11);
    CHECK(prefetcher.take({0, 1, 1000}, {}).size() == 999);  // and the rest is made when it is asked for
    CHECK(prefetcher.bytes() == 0);
  }
  CHECK(made == 1000);
}

TEST_CASE("the first bad sample of a batch is the one that is named, for any number of workers") {
  for (const int64_t workers : {0, 1, 3}) {
    for (const int threads : {1, 2, 4}) {
      CAPTURE(workers);
      const Threads guard(threads);
      const auto data = std::make_shared<Difficult>(64, std::set<int64_t>{3, 5, 17, 40, 41, 60});
      LoaderOptions options{.batch_size = 64};
      options.workers = workers;
      Loader loader(data, Transform{preprocessing_for(data->info()), {}}, options);
      for (int64_t epoch = 0; epoch < 3; ++epoch) {
        std::string first;
        for (const int64_t index : epoch_order(64, 0, epoch))
          if (first.empty() && std::set<int64_t>{3, 5, 17, 40, 41, 60}.contains(index))
            first = "picture_" + std::to_string(index) + ".jpg";
        CHECK_SAYS(refusal(ErrorKind::kData, [&] { loader.batch(epoch, 0); }), first + " is damaged");
      }
    }
  }
}

TEST_CASE("destruction waits for what is being made and not for the queue") {
  const Threads guard(2);
  const auto data = std::make_shared<Difficult>(1000, std::set<int64_t>{}, 2);
  int asked = 0;
  {
    LoaderOptions options{.batch_size = 300};
    options.workers = 2;
    Loader loader(data, Transform{preprocessing_for(data->info()), {}}, options);
    loader.batch(0, 3);  // the short last one: 100 samples
    asked = data->asked;
  }
  CHECK(data->asked <= asked + 100);  // of 600 that wait: those that a busy machine let through meanwhile
}

TEST_CASE("workers and computation together never run more threads than there are") {
  for (const int threads : {1, 2, 3}) {
    const Threads guard(threads);
    const auto data = std::make_shared<Difficult>(300, std::set<int64_t>{}, 0);
    LoaderOptions options{.batch_size = 30};
    options.workers = 3;
    Loader loader(data, Transform{preprocessing_for(data->info()), {}}, options);
    std::atomic<int> computing{0}, most{0};
    for (int64_t b = 0; b < loader.batches(); ++b) {
      loader.batch(0, b);
      for (int region = 0; region < 20; ++region) {
        parallel_for(8, 1, [&](int64_t, int64_t) {
          const int now = ++computing;
          int before = most;
          while (now > before && !most.compare_exchange_weak(before, now)) {
          }
          std::this_thread::sleep_for(std::chrono::microseconds(100));
          --computing;
        });
      }
    }
    CHECK(most <= threads);
    CHECK(data->most_running <= threads);
  }
}

TEST_CASE("a thread that a worker holds is missing in the team, and comes back") {
  const Threads guard(2);
  const auto team = [] {
    std::atomic<int> running{0}, most{0};
    parallel_for(16, 1, [&](int64_t, int64_t) {
      const int now = ++running;
      int before = most;
      while (now > before && !most.compare_exchange_weak(before, now)) {
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      --running;
    });
    return most.load();
  };
  CHECK(team() == 2);
  std::atomic<bool> holds{false}, release{false}, stop{false};
  std::thread worker([&] {
    const WorkerScope scope;
    CHECK(borrow_thread(stop));
    holds = true;
    while (!release) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return_thread();
  });
  while (!holds) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(team() == 1);
  // One thread is left for the computation: a second worker gets none until it is told to stop.
  std::thread second([&] {
    const WorkerScope scope;
    CHECK(!borrow_thread(stop));
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  stop = true;
  wake_borrowers();
  second.join();
  release = true;
  worker.join();
  CHECK(team() == 2);
}

TEST_CASE("a worker's own parallel work is serial") {
  const Threads guard(4);
  std::set<std::thread::id> seen;
  std::thread worker([&] {
    const WorkerScope scope;
    parallel_for(64, 1, [&](int64_t, int64_t) { seen.insert(std::this_thread::get_id()); });
  });
  worker.join();
  CHECK(seen.size() == 1);
}

TEST_CASE("workers leave signals to the thread that trains") {
  const Threads guard(2);
  std::atomic<int> blocked{-1};
  Prefetcher prefetcher(1, 1 << 20, [&](int64_t epoch, int64_t position) {
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, nullptr, &set);
    if (position > 0) blocked = sigismember(&set, SIGINT) && sigismember(&set, SIGTERM);
    return numbered(epoch, position);
  });
  prefetcher.take({0, 0, 1}, {{0, 1, 2}});
  for (int i = 0; i < 400 && blocked < 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(blocked == 1);
  sigset_t own;
  pthread_sigmask(SIG_SETMASK, nullptr, &own);
  CHECK(!sigismember(&own, SIGINT));
}

TEST_CASE("repeated augmentation shows each sample of an epoch several times, differently, and a part of the samples") {
  const auto data = std::make_shared<SceneDataset>(1, true, 30, 32);
  const auto loader = [&](int64_t repeats) {
    return std::make_unique<Loader>(data, transform_for(*data), LoaderOptions{.batch_size = 30, .seed = 4, .repeats = repeats});
  };
  const Batch batch = loader(3)->batch(2, 0);
  CHECK(batch.size() == 30);
  CHECK(std::set<int64_t>(batch.indices.begin(), batch.indices.end()).size() == 10);
  const std::vector<int64_t> order = epoch_order(30, 4, 2);
  for (size_t i = 0; i < 30; ++i) CHECK(batch.indices[i] == order[i / 3]);
  CHECK(!bit_equal(select(batch.images, 0, 0), select(batch.images, 0, 1)));
  CHECK(!bit_equal(select(batch.images, 0, 1), select(batch.images, 0, 2)));
  // The first of them is what is seen without repetition.
  CHECK(bit_equal(select(batch.images, 0, 3), select(loader(1)->batch(2, 0).images, 0, 1)));
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { loader(0); }), "repeats must be in [1, 1000]: they are 0");
  LoaderOptions options;
  options.workers = 257;
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { Loader(data, transform_for(*data), options); }),
             "workers must be in [0, 256]: they are 257");
}
