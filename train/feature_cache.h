// What the frozen start of a model makes of the pictures, computed once: where nothing is augmented, it is the same in every
// epoch. The bits of the run are those without it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/loader.h"
#include "train/config.h"
#include "train/task/task.h"

namespace vitrail {

// Why nothing of the run can be kept, in words; "" if something can. The model's trained part must have been chosen.
std::string feature_cache_obstacle(Task& task, const TrainConfig& config, int64_t images);

// Bytes of the activations of one picture after Task::staged_model()'s fixed stages.
int64_t feature_bytes(Task& task, const Dataset& data);

// The activations of the pictures of a data set as a data set: Sample::image is f32 of any rank.
class StageDataset;

class FeatureCache {
 public:
  // Keeps at most max_bytes; 0: nothing. `test` and `clean` may be null; what does not fit beside the training pictures is
  // computed anew in each test. The task must outlive the cache.
  FeatureCache(Task& task, const TrainConfig& config, const LoaderOptions& options, int64_t max_bytes);
  ~FeatureCache();

  // Computes everything, once the weights are those of the run: in the groups of images in which training and tests compute it,
  // since the last bits of a product may depend on its size. Training batches of another size (the last one of an epoch) are
  // computed from their pictures. The activations of the first batch are compared, bit by bit, with those that training would
  // compute; if they differ, nothing is kept. `pictures` gives that batch. Returns a sentence for the user, "" if nothing is
  // kept. Inside an InterruptScope a signal ends it; then nothing is kept.
  std::string start(Loader& pictures, const DatasetPtr& test, const DatasetPtr& clean);

  // The loader of activations to take batch `index` of an epoch from; null: the pictures'.
  Loader* training(int64_t index) const;
  // The data set to test on instead of that one.
  Loader* test() const { return test_.get(); }
  Loader* clean() const { return clean_.get(); }

 private:
  std::shared_ptr<StageDataset> computed(const DatasetPtr& data, int64_t group, bool padded);
  std::unique_ptr<Loader> loader_of(std::shared_ptr<StageDataset> data, const LoaderOptions& options) const;
  bool same_bits(Loader& pictures);

  Task& task_;
  const TrainConfig config_;
  const LoaderOptions options_;
  int64_t max_bytes_, stages_ = 0;
  std::unique_ptr<Loader> training_, test_, clean_;
};

}  // namespace vitrail
