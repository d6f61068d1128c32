// The prediction for many nodes, against values computed by hand, and at its limits.
#include "train/ranks/plan.h"

#include <doctest/doctest.h>

#include <limits>
#include <numbers>

#include "comm/all_reduce.h"
#include "comm/threads.h"
#include "models/presets.h"
#include "tests/support/model_test.h"
#include "train/ranks/measure_step.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// 1 ms and 1 MB/s between nodes, 0.1 ms and 4 MB/s within.
Cluster cluster(int64_t nodes, int64_t ranks = 1) { return {nodes, ranks, {1e-3, 1e6}, {1e-4, 4e6}, 1e-8}; }

MeasuredStep step(double deviation = 0) { return {2, deviation, 4, {{1e6, 1.5}, {1e6, 0.5}, {0.5e6, 0}}}; }

}  // namespace

TEST_CASE("a sum over 2, 8 and 3 ranks costs what the formula says, computed by hand") {
  // 2 (1 ms + 0.5 MB) + 0.5 MB of adding.
  CHECK(all_reduce_seconds(1e6, cluster(2)) == doctest::Approx(2 * (1e-3 + 0.5) + 0.5e6 * 1e-8));
  // 6 messages, 2 * 7/8 MB.
  CHECK(all_reduce_seconds(1e6, cluster(8)) == doctest::Approx(6e-3 + 1.75 + 0.875e6 * 1e-8));
  // Slices: 2 * 2 messages of a third.
  CHECK(all_reduce_seconds(1e6, cluster(3)) == doctest::Approx(4e-3 + 4.0 / 3 + 2e6 / 3 * 1e-8));
  // As bf16 half of it travels; what is added is f32.
  CHECK(all_reduce_seconds(1e6, cluster(2), 0.5) == doctest::Approx(2 * (1e-3 + 0.25) + 0.5e6 * 1e-8));
  CHECK(all_reduce_seconds(1e6, cluster(1)) == 0);
  CHECK(all_reduce_seconds(0, cluster(8)) == 0);
}

TEST_CASE("ranks of one node exchange first, and share its link") {
  // 2 nodes of 2: a round within, both halves of 1 MB at 4 MB/s; one between, 2 * 1/4 MB at 1 MB/s.
  const double rounds = (1e-4 + 1.0 / 4) + (1e-3 + 0.5);
  CHECK(all_reduce_seconds(1e6, cluster(2, 2)) == doctest::Approx(2 * rounds + 0.75e6 * 1e-8));
  // As many bytes leave a node as with one rank on it.
  Cluster free_within = cluster(4, 4);
  free_within.within = {0, kInfinite}, free_within.between.latency = 0, free_within.add_seconds = 0;
  CHECK(all_reduce_seconds(1e6, free_within) == doctest::Approx(2 * 0.75));
  // In slices (3 nodes of 2): of 5 messages of a sixth one stays; r of the others share the link.
  const double sixth = 2.0 / 6;
  CHECK(all_reduce_seconds(1e6, cluster(3, 2)) ==
        doctest::Approx(2 * ((1e-4 + sixth / 4) + 4 * (1e-3 + sixth)) + 5e6 / 6 * 1e-8));
  // All on one node.
  CHECK(all_reduce_seconds(1e6, cluster(1, 2)) == doctest::Approx(2 * (1e-4 + 0.25) + 0.5e6 * 1e-8));
}

TEST_CASE("the number of messages and bytes is that of all_reduce()") {
  for (const int ranks : {2, 3, 4, 6, 8})
    run_ranks(ranks, [&](Communicator& comm) {
      std::vector<float> values(24 * 1000, 1);
      all_reduce(comm, std::span(values));
      // With a rate of one byte a second and no latency the seconds are the bytes.
      const Cluster counted{ranks, 1, {0, 1}, {}, 0};
      CHECK(comm.sent() == doctest::Approx(all_reduce_seconds(4.0 * static_cast<double>(values.size()), counted)));
    });
}

TEST_CASE("the expected maximum of standard normal numbers is that of tables") {
  CHECK(expected_maximum(1) == 0);
  CHECK(expected_maximum(2) == doctest::Approx(std::numbers::inv_sqrtpi).epsilon(1e-8));
  CHECK(expected_maximum(3) == doctest::Approx(1.5 * std::numbers::inv_sqrtpi).epsilon(1e-8));
  CHECK(expected_maximum(4) == doctest::Approx(1.0293753730).epsilon(1e-8));
  CHECK(expected_maximum(10) == doctest::Approx(1.5387527308).epsilon(1e-8));
  CHECK(expected_maximum(100) == doctest::Approx(2.5075936).epsilon(1e-6));
  CHECK(expected_maximum(1000) == doctest::Approx(3.2414358).epsilon(1e-6));
}

TEST_CASE("buckets leave when they are whole and the link is free; what ends after the backward pass is exposed") {
  Cluster two = cluster(2);
  two.between.latency = 0, two.add_seconds = 0;  // a MB takes a second
  const PlannedStep p = predict(step(), 10, two);
  const double scores = 64e-6;
  // From -1.5 to -0.5, from -0.5 to 0.5, then half a MB.
  CHECK(p.exposed == doctest::Approx(1 + scores));
  CHECK(p.communication == doctest::Approx(2.5 + scores));
  CHECK(p.hidden == doctest::Approx(1.5));
  CHECK(p.step == doctest::Approx(3 + scores));
  CHECK(p.images_per_second == doctest::Approx(20 / (3 + scores)));
  CHECK(p.efficiency == doctest::Approx(2 / (3 + scores)));
  // A link ten times as fast waits for the gradients: only the last bucket is seen.
  two.between.bytes_per_second = 1e7;
  CHECK(predict(step(), 10, two).exposed == doctest::Approx(0.05 + scores / 10));
  // Half of the bytes.
  two.between.bytes_per_second = 1e6;
  CHECK(predict(step(), 10, two, 0.5).exposed == doctest::Approx(0.25 + scores));
}

TEST_CASE("a node that computes twice as fast hides half as long") {
  const MeasuredStep half = faster(step(0.1), 2);
  CHECK(half.seconds == 1);
  CHECK(half.deviation == 0.05);
  CHECK(half.buckets[0].lead == 0.75);
  CHECK(half.buckets[0].bytes == 1e6);
}

TEST_CASE("limits: one node does not communicate, an infinitely fast network leaves jitter alone") {
  const PlannedStep one = predict(step(0.1), 10, cluster(1));
  CHECK(one.communication == 0);
  CHECK(one.exposed == 0);
  CHECK(one.waiting == 0);
  CHECK(one.step == 2);
  CHECK(one.efficiency == 1);
  CHECK(one.images_per_second == 5);
  const Cluster fast{1024, 1, {0, kInfinite}, {}, 0};
  const PlannedStep many = predict(step(0.1), 10, fast);
  CHECK(many.exposed == 0);
  CHECK(many.waiting == doctest::Approx(0.1 * expected_maximum(1024)));
  CHECK(many.step == doctest::Approx(2 + many.waiting));
  CHECK(predict(step(), 10, fast).efficiency == 1);
  // More nodes are never more efficient per node, among powers of two.
  double last = 1;
  for (int64_t nodes = 1; nodes <= 4096; nodes *= 2) {
    const double efficiency = predict(step(0.1), 10, cluster(nodes)).efficiency;
    CHECK(efficiency <= last);
    last = efficiency;
  }
}

TEST_CASE("numbers that make no sense are refused, with the number") {
  const auto refused = [](Cluster c, const std::string& part, int64_t images = 10, const MeasuredStep& s = step()) {
    CHECK_MESSAGE(message_of([&] { predict(s, images, c); }).find(part) != std::string::npos, part);
  };
  refused(cluster(0), "they are 0 and 1");
  refused(cluster(2, 0), "they are 2 and 0");
  refused(cluster(1 << 20, 2), "1048576 ranks at most");
  refused({2, 1, {-1, 1e6}, {}, 0}, "between nodes must be at least 0 seconds: it is -1");
  refused({2, 1, {0, 0}, {}, 0}, "between nodes must be above 0 bytes a second: it is 0");
  refused({1, 2, {}, {0, -5}, 0}, "within a node must be above 0 bytes a second: it is -5");
  refused({2, 1, {0, 1}, {}, -1}, "adding up a byte");
  refused(cluster(2), "at least one image: it has 0", 0);
  refused(cluster(2), "a step must take time: it takes 0", 10, MeasuredStep{});
  CHECK(message_of([] { faster(step(), 0); }).find("must be above 0: it is 0") != std::string::npos);
  CHECK(message_of([] { expected_maximum(0); }).find("there are 0") != std::string::npos);
}

TEST_CASE("a measured update has all trained bytes in its buckets, whole before the end of the backward pass") {
  const auto model = models::make_model("vit_fashion_p7", Rng(1));
  const MeasuredStep measured = measure_step(*model, {8, 2, 2, int64_t{1} << 17});
  double bytes = 0, before = kInfinite;
  for (const PlanBucket& bucket : measured.buckets) {
    bytes += bucket.bytes;
    CHECK(bucket.lead <= before);
    CHECK(bucket.lead >= 0);
    before = bucket.lead;
  }
  CHECK(bytes == 4.0 * static_cast<double>(model->num_parameters()));
  CHECK(measured.buckets.size() > 2);
  CHECK(measured.buckets.back().lead == 0);
  CHECK(measured.seconds > measured.buckets.front().lead);
  CHECK(measured.deviation >= 0);
  CHECK(measured.processor_seconds > 0);
  CHECK(measure_add_seconds(1 << 16) > 0);
  CHECK(message_of([&] { measure_step(*model, {2, 4}); }).find("2 images and 4 groups") != std::string::npos);
  CHECK(message_of([&] { measure_step(*model, {2, 1, 0}); }).find("at least one update") != std::string::npos);
}
