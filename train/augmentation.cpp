#include "train/augmentation.h"

#include <algorithm>

#include "data/loader.h"
#include "tensor/view.h"

namespace vitrail {

Augmentation augmentation_of(const TrainConfig& c) {
  Augmentation a;
  a.crop_padding = c.crop_padding;
  a.mirror = c.mirror;
  a.crop_scale = c.crop_scale;
  a.flip_vertical = c.flip_vertical;
  a.rotate = c.rotate;
  a.policy = augment::policy_from_name(c.augment);
  a.rand_augment.magnitude = c.magnitude;
  a.rand_augment.deviation = c.magnitude_std;
  a.jitter = c.jitter;
  a.hue = c.hue;
  a.grayscale = c.grayscale;
  a.blur = c.blur;
  a.erase = c.erase;
  return a;
}

void set_augmentation(const TrainConfig& c, LoaderOptions& options) {
  options.balanced = c.sampling == "balanced";
  options.repeats = c.repeats;
  options.mixing = {c.mixup, c.cutmix, c.mix_switch};
  options.mixup_off_epoch = c.mixup_off_epoch;
  options.workers = c.workers;
}

Tensor training_pictures(const DatasetPtr& data, const Preprocessing& preprocessing, const TrainConfig& config, int64_t epoch,
                         int64_t count) {
  validate(config);
  LoaderOptions options{.batch_size = std::min(config.batch_size, given(data, "training_pictures").size()),
                        .seed = config.seed};
  set_augmentation(config, options);
  options.workers = 0;
  Loader loader(data, Transform{preprocessing, augmentation_of(config)}, options);
  count = std::min(count, loader.samples());
  check(count >= 1, ErrorKind::kValue, "training_pictures", "the count must be at least 1: it is ", count);
  Tensor pictures =
      empty({count, preprocessing.channels, preprocessing.height, preprocessing.width}, Dtype::u8, "training_pictures");
  for (int64_t from = 0, index = 0; from < count; ++index) {
    const Tensor batch = denormalize(loader.batch(epoch, index).images, preprocessing);
    const int64_t taken = std::min(batch.size(0), count - from);
    copy_(slice(pictures, 0, from, from + taken), slice(batch, 0, 0, taken));
    from += taken;
  }
  return pictures;
}

}  // namespace vitrail
