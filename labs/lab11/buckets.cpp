#include "labs/lab11/buckets.h"

#include <algorithm>
#include <utility>

namespace lab {

using namespace vitrail;

Buckets::Buckets(Communicator& comm, const std::vector<int64_t>& sizes, int64_t bucket_size, Reduce reduce)
    : reduce_(std::move(reduce)), lane_(comm) {
  lay_out(sizes, bucket_size);
  int64_t all = 0;
  for (const int64_t size : sizes) all += size;
  array_.resize(static_cast<size_t>(all));
}

void Buckets::lay_out(const std::vector<int64_t>& sizes, int64_t bucket_size) {
  // LAB 11.4 BEGIN  a place for each gradient, behind the one before; a new bucket where the last one is full
  int64_t at = 0;
  for (const int64_t size : sizes) {
    if (buckets_.empty() || at - buckets_.back().begin >= bucket_size) buckets_.push_back({at, at, 0, 0});
    places_.push_back({at, at + size, buckets_.size() - 1, false});
    at += size;
    buckets_.back().end = at;
    ++buckets_.back().gradients;
  }
  // LAB 11.4 END
}

void Buckets::begin() {
  // LAB 11.4 BEGIN  no gradient is there, each bucket misses all of its own, and the first one is next
  for (Place& place : places_) place.there = false;
  for (Bucket& bucket : buckets_) bucket.missing = bucket.gradients;
  next_ = 0;
  // LAB 11.4 END
}

void Buckets::ready(size_t i, std::span<const float> gradient) {
  // LAB 11.4 BEGIN  copy it to its place, note that it is there, and send what is whole now
  Place& place = places_[i];
  std::copy(gradient.begin(), gradient.end(), array_.begin() + place.begin);
  place.there = true;
  --buckets_[place.bucket].missing;
  send_whole_buckets();
  // LAB 11.4 END
}

void Buckets::send_whole_buckets() {
  // LAB 11.4 BEGIN  from the next bucket on, as long as nothing is missing: lane_.start() its sum
  while (next_ < buckets_.size() && buckets_[next_].missing == 0) {
    const Bucket& bucket = buckets_[next_++];
    const std::span<float> values(array_.data() + bucket.begin, static_cast<size_t>(bucket.end - bucket.begin));
    lane_.start([this, values](Communicator& comm) { reduce_(comm, values); });
  }
  // LAB 11.4 END
}

void Buckets::finish() {
  // LAB 11.4 BEGIN  zeros for what is not there; send what is left; wait
  for (Place& place : places_) {
    if (place.there) continue;
    std::fill(array_.begin() + place.begin, array_.begin() + place.end, 0.0f);
    --buckets_[place.bucket].missing;
  }
  send_whole_buckets();
  lane_.wait();
  // LAB 11.4 END
}

std::span<const float> Buckets::sum(size_t i) const {
  const Place& place = places_.at(i);
  return std::span(array_).subspan(static_cast<size_t>(place.begin), static_cast<size_t>(place.end - place.begin));
}

std::vector<int64_t> Buckets::bucket_sizes() const {
  std::vector<int64_t> sizes;
  for (const Bucket& bucket : buckets_) sizes.push_back(bucket.end - bucket.begin);
  return sizes;
}

}  // namespace lab
