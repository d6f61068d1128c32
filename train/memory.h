// How much memory a training run will need, before it starts.
#pragma once

#include <cstdint>

#include "data/dataset.h"
#include "train/config.h"
#include "train/task/task.h"

namespace vitrail {

struct MemoryEstimate {
  int64_t fixed = 0;       // bytes: data set, weights, gradients, moments, averages
  int64_t per_image = 0;   // bytes of activations that one more image of a pass takes
  int64_t batch_size = 0;  // images of one forward and backward pass: of a batch, or of a group of one

  int64_t total() const { return fixed + per_image * batch_size; }
};

// On how many ranks a run is spread, and whether each keeps a part of the optimiser's state only.
struct MemoryOfRanks {
  int64_t ranks = 1;
  bool shard = false;
};

// Of one rank. Measured on forward and backward passes of four and of eight images (fewer if the batches are smaller); what the
// optimiser and the average of the weights will keep is added. Weights and running statistics are left as they were.
MemoryEstimate estimate_memory(Task& task, const DatasetPtr& train, const TrainConfig& config, const MemoryOfRanks& ranks = {});

// Error(kMemory) with the numbers if the estimate is more than a tenth above `limit` bytes (0: no limit, nothing is measured).
// Else the estimate.
MemoryEstimate check_memory(Task& task, const DatasetPtr& train, const TrainConfig& config, int64_t limit,
                            const MemoryOfRanks& ranks = {});

}  // namespace vitrail
