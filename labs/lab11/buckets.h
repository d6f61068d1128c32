// Lab 11, exercise 11.4: gradients leave while the backward pass still computes others. The framework's own:
// train/ranks/gradient_sum.cpp. Source: Li et al., "PyTorch Distributed", arXiv:2006.15704, section 3.2.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "comm/lane.h"

namespace lab {

// The gradients of an update in one array, one behind the other, cut into buckets of consecutive ones.
class Buckets {
 public:
  using Reduce = std::function<void(vitrail::Communicator&, std::span<float>)>;

  // sizes[i]: how many numbers gradient i has, in the order in which the backward pass finishes them. A bucket takes gradients
  // until it has at least `bucket_size` numbers; the last one may have fewer. `reduce` makes a bucket the sum over all ranks.
  Buckets(vitrail::Communicator& comm, const std::vector<int64_t>& sizes, int64_t bucket_size, Reduce reduce);

  // A new update: no gradient is there.
  void begin();
  // Gradient i of this rank is final; it is called once for each that the rank has, in any order. Every bucket whose gradients
  // are all there is on its way when this returns, unless one before it is not: all ranks send their buckets in the same order.
  void ready(size_t i, std::span<const float> gradient);
  // What this rank has not is 0. Returns when all buckets are sums.
  void finish();

  // After finish(): the sum of gradient i over all ranks.
  std::span<const float> sum(size_t i) const;
  // The numbers of each bucket.
  std::vector<int64_t> bucket_sizes() const;

 private:
  struct Place {
    int64_t begin = 0, end = 0;  // in array_
    size_t bucket = 0;
    bool there = false;
  };
  struct Bucket {
    int64_t begin = 0, end = 0;  // in array_
    int64_t gradients = 0;       // that it has
    int64_t missing = 0;         // of these in this update
  };
  void lay_out(const std::vector<int64_t>& sizes, int64_t bucket_size);
  void send_whole_buckets();

  Reduce reduce_;
  std::vector<Place> places_;    // of each gradient
  std::vector<Bucket> buckets_;  // in the order of array_
  std::vector<float> array_;
  size_t next_ = 0;     // the bucket to be sent next
  vitrail::Lane lane_;  // the thread that sends
};

}  // namespace lab
