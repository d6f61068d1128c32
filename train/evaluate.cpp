#include <cmath>

#include "autograd/node.h"
#include "autograd/ops.h"
#include "data/loader.h"
#include "train/metrics.h"
#include "train/printable.h"
#include "train/trainer.h"

namespace vitrail {

Preprocessing preprocessing_for(const models::Classifier& model, const DatasetInfo& info) {
  Preprocessing result = preprocessing_for(info);
  result.height = model.img_height();
  result.width = model.img_width();
  check(model.in_chans() == info.channels, ErrorKind::kValue, "preprocessing",
        "model and data have different channels: model has ", model.in_chans(), ", ", info.name, " has ", info.channels,
        ". Hint: set in_chans of the model to ", info.channels, ".");
  return result;
}

Evaluation evaluate(models::Classifier& model, DatasetPtr dataset, const Preprocessing& preprocessing, int64_t batch_size) {
  check(model.num_classes() == dataset->num_classes(), ErrorKind::kValue, "evaluate",
        "model and data have different classes: model has ", model.num_classes(), ", ", dataset->name(), " has ",
        dataset->num_classes(), ".");
  const NoGradGuard no_grad;
  const nn::EvalGuard evaluation(model);
  Loader loader(dataset, Transform{preprocessing, {}}, {.batch_size = batch_size, .train = false});
  int64_t correct1 = 0, correct5 = 0;
  RunningMean loss;
  for (int64_t i = 0; i < loader.batches(); ++i) {
    const Batch batch = loader.batch(0, i);
    const Variable logits = model(batch.images);
    correct1 += count_top_k(logits.value(), batch.labels, 1);
    correct5 += count_top_k(logits.value(), batch.labels, 5);
    loss.add(cross_entropy(logits, batch.labels).item(), static_cast<double>(batch.labels.numel()));
  }
  check(std::isfinite(loss.mean()), ErrorKind::kNumeric, "evaluate", "the loss is not finite: it is ", printable(loss.mean()),
        " over ", loader.samples(), " images of ", dataset->name(),
        ". Hint: look at the model's weights and at mean and std of its preprocessing.");
  const double images = loss.samples();
  return {static_cast<double>(correct1) / images, static_cast<double>(correct5) / images, loss.mean(), loader.samples()};
}

}  // namespace vitrail
