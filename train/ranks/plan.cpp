#include "train/ranks/plan.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace vitrail {

namespace {

constexpr int64_t kMostRanks = int64_t{1} << 20;
// Loss, scores, signals: doubles that are added up after the gradients (GradientSum::add_up()).
constexpr double kScoreBytes = 64;

double message(const Link& link, double bytes) { return link.latency + bytes / link.bytes_per_second; }

// One of the two phases; both have the same messages.
double halving(double bytes, const Cluster& c) {
  double seconds = 0;
  for (int64_t distance = 1; distance < c.ranks(); distance *= 2) {
    bytes /= 2;
    seconds += message(distance < c.ranks_per_node ? c.within : c.between, bytes * static_cast<double>(c.ranks_per_node));
  }
  return seconds;
}

double slices(double bytes, const Cluster& c) {
  const double slice = bytes / static_cast<double>(c.ranks()) * static_cast<double>(c.ranks_per_node);
  const int64_t near = c.ranks_per_node - 1, far = c.ranks() - c.ranks_per_node;
  return (near > 0 ? static_cast<double>(near) * message(c.within, slice) : 0) +
         (far > 0 ? static_cast<double>(far) * message(c.between, slice) : 0);
}

void check_link(const Link& link, const char* what) {
  check(link.latency >= 0 && std::isfinite(link.latency), ErrorKind::kValue, "plan", "the latency ", what,
        " must be at least 0 seconds: it is ", link.latency, ".");
  check(link.bytes_per_second > 0, ErrorKind::kValue, "plan", "the rate ", what, " must be above 0 bytes a second: it is ",
        link.bytes_per_second, ".");
}

}  // namespace

void check_cluster(const Cluster& c) {
  check(c.nodes >= 1 && c.ranks_per_node >= 1 && c.nodes <= kMostRanks && c.ranks_per_node <= kMostRanks / c.nodes,
        ErrorKind::kValue, "plan", "nodes and ranks of a node must be at least 1, and ", kMostRanks,
        " ranks at most: they are ", c.nodes, " and ", c.ranks_per_node, ".");
  if (c.nodes > 1) check_link(c.between, "between nodes");
  if (c.ranks_per_node > 1) check_link(c.within, "within a node");
  check(c.add_seconds >= 0 && std::isfinite(c.add_seconds), ErrorKind::kValue, "plan",
        "the seconds of adding up a byte must be at least 0: they are ", c.add_seconds, ".");
}

double all_reduce_seconds(double bytes, const Cluster& c, double content) {
  if (c.ranks() == 1 || bytes <= 0) return 0;
  const double ranks = static_cast<double>(c.ranks());
  const bool power = std::has_single_bit(static_cast<uint64_t>(c.ranks()));
  const double phase = power ? halving(bytes * content, c) : slices(bytes * content, c);
  return 2 * phase + bytes * (ranks - 1) / ranks * c.add_seconds;
}

double expected_maximum(int64_t n) {
  check(n >= 1, ErrorKind::kValue, "plan", "a maximum needs at least one number: there are ", n, ".");
  if (n == 1) return 0;
  const double count = static_cast<double>(n);
  const auto rest = [&](double x) {
    const double above = std::erfc(x / std::numbers::sqrt2) / 2;  // 1 - F(x)
    return -std::expm1(count * std::log1p(-above)) - std::pow(above, count);
  };
  // Simpson's rule; beyond 10 deviations nothing is left for any n that check_cluster() allows.
  constexpr int kSteps = 2000;
  constexpr double kWidth = 10.0 / kSteps;
  double sum = rest(0) + rest(10);
  for (int i = 1; i < kSteps; ++i) sum += (i % 2 ? 4 : 2) * rest(i * kWidth);
  return sum * kWidth / 3;
}

MeasuredStep faster(MeasuredStep step, double speed) {
  check(speed > 0 && std::isfinite(speed), ErrorKind::kValue, "plan", "a node's speed must be above 0: it is ", speed, ".");
  step.seconds /= speed, step.deviation /= speed, step.processor_seconds /= speed;
  for (PlanBucket& bucket : step.buckets) bucket.lead /= speed;
  return step;
}

PlannedStep predict(const MeasuredStep& step, int64_t images_per_node, const Cluster& cluster, double content) {
  check_cluster(cluster);
  check(images_per_node >= 1, ErrorKind::kValue, "plan", "a node needs at least one image: it has ", images_per_node, ".");
  check(step.seconds > 0 && step.deviation >= 0, ErrorKind::kValue, "plan", "a step must take time: it takes ", step.seconds,
        " s, with a deviation of ", step.deviation, ".");
  PlannedStep p;
  p.compute = step.seconds;
  double end = step.buckets.empty() ? 0 : -step.buckets.front().lead;
  for (const PlanBucket& bucket : step.buckets) {
    const double seconds = all_reduce_seconds(bucket.bytes, cluster, content);
    end = std::max(end, -bucket.lead) + seconds;
    p.communication += seconds;
  }
  const double scores = all_reduce_seconds(kScoreBytes, cluster);
  p.communication += scores;
  p.exposed = cluster.ranks() == 1 ? 0 : std::max(0.0, end) + scores;
  p.hidden = p.communication - p.exposed;
  p.waiting = step.deviation * expected_maximum(cluster.ranks());
  p.step = p.compute + p.exposed + p.waiting;
  p.images_per_second = static_cast<double>(cluster.nodes * images_per_node) / p.step;
  p.efficiency = p.compute / p.step;
  return p;
}

}  // namespace vitrail
