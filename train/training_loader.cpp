#include "train/training_loader.h"

#include <algorithm>
#include <tuple>

#include "nn/norm.h"
#include "train/augmentation.h"
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

SharedBatch share_of_batch(const Loader& loader, const Batch& part, int64_t index) {
  const int64_t groups = loader.batch_groups(index), given = loader.options().last_group;
  const int64_t last = given < 0 ? groups : std::min(groups, given);
  return {part, loader.batch_samples(index), groups, std::min(loader.options().first_group, last), last};
}

int64_t total_steps(const TrainConfig& config, int64_t images, nn::Module& model) {
  const int64_t all = config.epochs * count_batches(images, training_loader_options(config, model));
  return config.max_steps > 0 ? std::min(all, config.max_steps) : all;
}

}  // namespace vitrail
