#include "train/optim/update.h"

#include "train/optim/clip.h"

namespace vitrail {

double update_weights(Optimizer& optimizer, Ema* ema, const Schedule& schedule, int64_t step, double grad_norm,
                      double clip_norm) {
  // LAB 5.5 BEGIN  the rate of this step; the update with the gradient clipped; the average, if there is one; return the rate
  const double rate = learning_rate(schedule, step);
  optimizer.step(rate, clip_scale(grad_norm, clip_norm));
  if (ema) ema->update();
  return rate;
  // LAB 5.5 END
}

}  // namespace vitrail
