#include "train/evaluate.h"

#include <algorithm>
#include <cmath>

#include "autograd/modes.h"
#include "autograd/ops/layers.h"
#include "data/loader.h"
#include "train/interrupt.h"
#include "train/printable.h"
#include "train/ranks/test_share.h"
#include "train/task/classification.h"

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

Scores Evaluation::all() const {
  Scores result = scores;
  for (const Score& entry : more)
    if (std::none_of(scores.begin(), scores.end(), [&](const Score& s) { return s.name == entry.name; }))
      result.push_back(entry);
  return result;
}

Evaluation evaluate(Task& task, DatasetPtr dataset, int64_t batch_size, Communicator* ranks) {
  task.check_data(*dataset);
  Loader loader = make_loader(task, dataset, {.batch_size = batch_size, .train = false});
  return evaluate(task, loader, ranks);
}

Evaluation evaluate(Task& task, Loader& loader, Communicator* ranks) {
  const NoGradGuard no_grad;
  const nn::EvalGuard evaluation(task.model());
  const Dataset* const dataset = &loader.dataset();
  const std::unique_ptr<Metric> metric = task.metric();
  if (ranks && ranks->size() > 1) {
    add_over_ranks(*ranks, task, loader, *metric);
  } else {
    for (int64_t i = 0; i < loader.batches(); ++i) {
      const Batch batch = loader.batch(0, i);
      metric->add(batch, task.predict(batch));
      if (interrupt_signal() != 0) throw Interrupted();
    }
  }
  Evaluation result{metric->result(), loader.samples(), metric->notes(), metric->details(), result_name(dataset->info()),
                    metric->more()};
  for (const Score& entry : result.scores)
    check(std::isfinite(entry.value), ErrorKind::kNumeric, "evaluate", "the ", entry.label, " is not finite: it is ",
          printable(entry.value), " over ", loader.samples(), " images of ", dataset->name(),
          ". Hint: look at the model's weights and at mean and std of its preprocessing.");
  return result;
}

Evaluation evaluate(models::Classifier& model, DatasetPtr dataset, const Preprocessing& preprocessing, int64_t batch_size) {
  check(model.num_classes() == dataset->num_classes(), ErrorKind::kValue, "evaluate",
        "model and data have different classes: model has ", model.num_classes(), ", ", dataset->name(), " has ",
        dataset->num_classes(), ".");
  ClassificationTask task(model, {preprocessing, dataset->class_names(), {}, 0});
  return evaluate(task, std::move(dataset), batch_size);
}

}  // namespace vitrail
