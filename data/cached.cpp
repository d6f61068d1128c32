#include "data/cached.h"

#include "base/error.h"

namespace vitrail {

CachedDataset::CachedDataset(DatasetPtr whole, int64_t max_bytes)
    : Dataset(given(whole, "cache").info()),
      whole_(std::move(whole)),
      max_bytes_(max_bytes),
      kept_(static_cast<size_t>(whole_->size())) {
  check(max_bytes >= 0, ErrorKind::kValue, "cache", "max_bytes must not be negative: it is ", max_bytes);
}

Sample CachedDataset::sample(int64_t index) const {
  check_index(index);
  {
    const std::lock_guard<std::mutex> lock(guard_);
    if (kept_[index]) return *kept_[index];
  }
  Sample sample = whole_->sample(index);  // outside of the lock: this is what takes time
  const int64_t bytes = sample.image.numel();
  const std::lock_guard<std::mutex> lock(guard_);
  if (!kept_[index] && bytes_ + bytes <= max_bytes_) {
    kept_[index] = std::make_unique<const Sample>(sample);
    bytes_ += bytes;
  }
  return sample;
}

int64_t CachedDataset::bytes() const {
  const std::lock_guard<std::mutex> lock(guard_);
  return bytes_;
}

DatasetPtr cached(DatasetPtr whole, int64_t max_bytes) {
  if (!given(whole, "cache").reads_files() || max_bytes <= 0) return whole;
  return std::make_shared<CachedDataset>(std::move(whole), max_bytes);
}

}  // namespace vitrail
