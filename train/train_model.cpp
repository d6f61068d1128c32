#include "train/task/classification.h"
#include "train/trainer.h"

namespace vitrail {

TrainResult train_model(models::Classifier& model, DatasetPtr train, DatasetPtr test, const Preprocessing& preprocessing,
                        const TrainConfig& config, const TrainCallbacks& callbacks) {
  validate(config);
  check(model.num_classes() == train->num_classes(), ErrorKind::kValue, "train",
        "model and data have different classes: model has ", model.num_classes(), ", ", train->name(), " has ",
        train->num_classes(), ".");
  ClassificationTask task(model, classification_options(config, preprocessing, train->class_names()));
  return Trainer(task, std::move(train), std::move(test), config, callbacks).run();
}

}  // namespace vitrail
