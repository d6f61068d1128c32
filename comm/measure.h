// What messages and sums cost between the ranks of this run. Every rank calls the same functions with the same numbers; each
// gets the results, in seconds.
#pragma once

#include <cstdint>
#include <vector>

#include "comm/communicator.h"

namespace vitrail {

// The middle one, or the mean of the middle two. At least one value.
double median(std::vector<double> values);

// A message of so many bytes.
struct MessageTime {
  int64_t bytes = 0;
  double one_way = 0;    // half of the time from a send to the answer of the same size
  double both_ways = 0;  // each of the two sends one while it receives the other's: the rounds of comm/all_reduce.h
};

// Between ranks a and b, medians of `repeats` after one that does not count; the others wait. Error(kValue) unless a and b are
// two ranks, and repeats and all sizes are at least 1.
std::vector<MessageTime> time_messages(Communicator& comm, int a, int b, const std::vector<int64_t>& sizes, int repeats);

// latency + bytes / rate through such times: the latency is that of the smallest message, the rate that of the largest in both
// directions, without the latency.
struct LinkFit {
  double latency = 0, bytes_per_second = 0;
};
LinkFit fit_link(const std::vector<MessageTime>& times);

// all_reduce() of `bytes` of f32, one bucket after another: the slowest rank's seconds, the median of `repeats` after one that
// does not count. Error(kValue) unless bytes and bucket_bytes are at least 4, and repeats at least 1.
double time_all_reduce(Communicator& comm, int64_t bytes, int64_t bucket_bytes, int repeats);

}  // namespace vitrail
