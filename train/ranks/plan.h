// What an update costs on many nodes, as formulas: from one that was measured on one node to a prediction for N of them.
//
//   step = compute + exposed + waiting                    seconds
//   efficiency = compute / step                           images a second of N nodes by N times those of one that has no others
//
// compute: a rank's share of the batch, forward and backward in groups, its gradients copied together, their norm, the weights'
//   update. Every node has as many images as the one that was measured, whatever N is.
// communication: the sums of comm/all_reduce.h over R ranks, in the latency-bandwidth model: a message of n bytes takes
//   a + n / b, and sending does not hinder receiving. R a power of two, recursive halving and doubling (Thakur, Rabenseifner,
//   Gropp, "Optimization of collective communication operations in MPICH", 2005, section 4.5, where it is
//   2 log2(R) a + 2 n (R-1)/R / b + n (R-1)/R g):
//     2 sum over k = 0 .. log2(R)-1 of (a + n / 2^(k+1) / b)  +  n (R-1)/R g
//   other R, in slices: 2 (R-1) (a + n / R / b) + n (R-1)/R g. g: seconds of adding up a byte.
//   Where r ranks share a node, neighbours come first, so the messages of the rounds with 2^k < r stay within the node, and r
//   messages of the others share its link: r n for n. In slices r - 1 of the R - 1 messages stay.
// hidden, exposed: a bucket is sent when its last gradient is whole and those before it are through, one after another:
//     end_i = max(-lead_i, end_(i-1)) + all_reduce(bytes_i),  exposed = max(0, end_last) + all_reduce(scores),
//   where the backward pass ends at 0, and bucket i was whole lead_i seconds before that. hidden = communication - exposed.
// waiting: the slowest of R ranks decides. If their times are independent and normal, the largest is expected to exceed the
// mean
//   by s E(R): s the standard deviation, E(R) the expected maximum of R standard normal numbers (David, Nagaraja, "Order
//   Statistics", 2003). Noise with rare long delays costs more (Hoefler, Schneider, Lumsdaine, "Characterizing the influence of
//   system noise on large-scale applications by simulation", SC 2010).
//
// Not in it: networks with less capacity in the middle than at the nodes, processors that messages take from the computation,
// reading and decoding pictures, tests, checkpoints, the running statistics of batch norm, and that pairs of ranks which have
// waited for long sleep up to 0.1 ms between two looks (comm/communicator.cpp; comm-bench's latency has it).
#pragma once

#include <cstdint>
#include <vector>

namespace vitrail {

// What connects two ranks.
struct Link {
  double latency = 0;           // seconds from sending a message without content to its receipt
  double bytes_per_second = 0;  // of a node, all its ranks together, each way; infinite: only latency counts
};

struct Cluster {
  int64_t nodes = 1, ranks_per_node = 1;  // consecutive ranks on each
  Link between{};                         // nodes
  Link within{};                          // a node; read where ranks_per_node > 1
  double add_seconds = 0;                 // of one byte of a sum

  int64_t ranks() const { return nodes * ranks_per_node; }
};

// A part of the gradient that travels by itself.
struct PlanBucket {
  double bytes = 0;
  double lead = 0;  // seconds from the time at which it is whole to the end of the backward pass
};

// An update of one rank that has no others.
struct MeasuredStep {
  double seconds = 0, deviation = 0;  // median, and the standard deviation between updates
  double processor_seconds = 0;       // of all threads, the median: less than their number times `seconds` on a busy machine
  std::vector<PlanBucket> buckets;    // in the order in which they become whole
};

// The same update on a node that computes `speed` times as fast. Error(kValue) unless speed is above 0 and finite.
MeasuredStep faster(MeasuredStep step, double speed);

struct PlannedStep {
  double compute = 0, communication = 0, hidden = 0, exposed = 0, waiting = 0, step = 0;  // seconds
  double images_per_second = 0;                                                           // of all nodes
  double efficiency = 1;
};

// Error(kValue) naming the number, unless nodes and ranks are at least 1 and at most 2^20 together, latencies and times at
// least 0, rates above 0.
void check_cluster(const Cluster& cluster);

// Seconds of adding up `bytes` of each rank over all, everyone beginning at once; 0 for one rank or no bytes. `content`: of
// each byte, how many are sent (1/2: as bf16).
double all_reduce_seconds(double bytes, const Cluster& cluster, double content = 1);

// E(n), n >= 1: the integral over x > 0 of 1 - F(x)^n - (1 - F(x))^n, F the normal distribution. 0, 0.5642, 0.8463, 1.0294, ...
double expected_maximum(int64_t n);

// Errors as check_cluster(); images_per_node >= 1.
PlannedStep predict(const MeasuredStep& step, int64_t images_per_node, const Cluster& cluster, double content = 1);

}  // namespace vitrail
