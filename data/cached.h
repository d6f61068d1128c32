// Decoded pictures kept in memory: the second epoch does not decode again.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "data/dataset.h"

namespace vitrail {

// The samples of another data set, of which the first that are asked for stay in memory, until their pictures take max_bytes.
// None is thrown out again: an epoch asks for each sample once in a new order, so the one thrown out would be needed as soon as
// any other. What sample() gives is the same with any max_bytes.
class CachedDataset : public Dataset {
 public:
  // Error(kValue) if `whole` is null or max_bytes negative.
  CachedDataset(DatasetPtr whole, int64_t max_bytes);

  int64_t size() const override { return whole_->size(); }
  Sample sample(int64_t index) const override;
  int64_t label(int64_t index) const override { return whole_->label(index); }
  std::vector<int64_t> labels(int64_t index) const override { return whole_->labels(index); }
  std::string sample_name(int64_t index) const override { return whole_->sample_name(index); }
  bool reads_files() const override { return whole_->reads_files(); }

  int64_t bytes() const;  // that are kept now

 private:
  DatasetPtr whole_;
  int64_t max_bytes_;
  mutable std::mutex guard_;
  mutable int64_t bytes_ = 0;
  mutable std::vector<std::unique_ptr<const Sample>> kept_;
};

// `whole` behind a cache if its samples are files and max_bytes > 0, else `whole` itself.
DatasetPtr cached(DatasetPtr whole, int64_t max_bytes);

}  // namespace vitrail
