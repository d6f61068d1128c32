#include "train/probe/features.h"

#include <algorithm>

#include "autograd/modes.h"
#include "data/loader.h"
#include "tensor/ops.h"
#include "train/interrupt.h"

namespace vitrail {
namespace {

// In evaluation mode and without gradients, which the callers see to.
Tensor one_batch(models::Classifier& model, const Tensor& images) {
  const Tensor features = model.pooled_features(images).value();
  check(features.numel() == 0 || min(isfinite(features)).item() == 1, ErrorKind::kNumeric, "features",
        "the model's features are not finite. Hint: look at its weights and at mean and std of its preprocessing.");
  return features;
}

}  // namespace

FeatureSet extract_features(models::Classifier& model, const DatasetPtr& data, const Preprocessing& preprocessing,
                            const FeatureOptions& options) {
  const NoGradGuard no_grad;
  const nn::EvalGuard evaluation(model);
  Loader loader(data, Transform{preprocessing, {}},
                {.batch_size = options.batch_size, .train = false, .workers = options.workers});
  FeatureSet result;
  for (int64_t i = 0; i < loader.batches(); ++i) {
    const Batch batch = loader.batch(0, i);
    const Tensor features = one_batch(model, batch.images);
    if (i == 0) result.features = empty({loader.samples(), features.size(1)}, features.dtype(), "features");
    copy_(slice(result.features, 0, result.size(), result.size() + batch.size()), features);
    for (const Target& target : batch.targets) result.labels.push_back(target.label);
    if (options.progress) options.progress("features", result.size(), loader.samples());
    if (interrupt_signal() != 0) throw Interrupted();
  }
  return result;
}

Tensor features_of(models::Classifier& model, const Tensor& images, int64_t batch_size) {
  const NoGradGuard no_grad;
  const nn::EvalGuard evaluation(model);
  if (images.dim() == 0 || images.size(0) <= batch_size) return one_batch(model, images);
  std::vector<Tensor> parts;
  for (int64_t from = 0; from < images.size(0); from += batch_size)
    parts.push_back(one_batch(model, slice(images, 0, from, std::min(from + batch_size, images.size(0)))));
  return concat(parts, 0);
}

}  // namespace vitrail
