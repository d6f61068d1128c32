// What is done with the gradients of a batch.
#pragma once

#include "train/optim/ema.h"
#include "train/optim/optim.h"
#include "train/optim/schedule.h"

namespace vitrail {

// Update number `step` = 0, 1, ... of a run: the optimiser's step at the schedule's rate, with gradients of norm `grad_norm`
// brought down to clip_norm (0: no clipping); then the average of the weights, if there is one. Returns the rate. Errors:
// Optimizer::step's.
double update_weights(Optimizer& optimizer, Ema* ema, const Schedule& schedule, int64_t step, double grad_norm,
                      double clip_norm);

}  // namespace vitrail
