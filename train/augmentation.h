// What a run's configuration says of augmentation, as data/ wants to be told.
#pragma once

#include "data/loader.h"
#include "data/transforms.h"
#include "train/config.h"

namespace vitrail {

// What is done to each picture. Error(kValue) for an unknown policy.
Augmentation augmentation_of(const TrainConfig& config);
// What is done to batches, in which order, and by how many workers: sets balanced, repeats, mixing, its end and workers.
void set_augmentation(const TrainConfig& config, LoaderOptions& options);

// The first `count` pictures of an epoch as a training run sees them (augmented, erased, mixed), as bytes: u8 [count, C,
// height, width]. Fewer if the epoch has fewer. contact_sheet() of them is what `vitrail data-check --augment` writes.
Tensor training_pictures(const DatasetPtr& data, const Preprocessing& preprocessing, const TrainConfig& config, int64_t epoch,
                         int64_t count);

}  // namespace vitrail
