#include "train/training_loader.h"

#include <algorithm>
#include <tuple>

#include "nn/norm.h"
#include "train/augmentation.h"
#include "train/group_gradients.h"
#include "train/ranks/split.h"
#include "train/task/classification.h"
#include "train/trainer.h"

namespace vitrail {

LoaderOptions training_loader_options(const TrainConfig& config, nn::Module& model, const Communicator* ranks) {
  LoaderOptions options{.batch_size = config.batch_size, .seed = config.seed, .join_last_one = nn::has_batch_norm(model)};
  set_augmentation(config, options);
  options.groups = config.groups, options.least_in_group = least_in_group(model);
  if (ranks) std::tie(options.first_group, options.last_group) = groups_of_rank(config.groups, ranks->size(), ranks->rank());
  return options;
}

int64_t total_steps(const TrainConfig& config, int64_t images, nn::Module& model) {
  const int64_t all = config.epochs * count_batches(images, training_loader_options(config, model));
  return config.max_steps > 0 ? std::min(all, config.max_steps) : all;
}

}  // namespace vitrail
