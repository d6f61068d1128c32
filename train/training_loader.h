// How a run reads its training images.
#pragma once

#include "comm/communicator.h"
#include "data/loader.h"
#include "nn/module.h"
#include "train/batch_groups.h"
#include "train/config.h"

namespace vitrail {

// Batches, augmentation and groups of the configuration. A last batch of one image joins the one before it in a model with
// batch norm, which could not train on it. `ranks` (null: one process): this rank's groups of each batch alone.
LoaderOptions training_loader_options(const TrainConfig& config, nn::Module& model, const Communicator* ranks = nullptr);

// Batch `index` of such a loader, of which `part` holds what it reads.
SharedBatch share_of_batch(const Loader& loader, const Batch& part, int64_t index);

}  // namespace vitrail
