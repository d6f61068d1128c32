// Classification: one label per picture, cross-entropy, top-k accuracy.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/classifier.h"
#include "train/config.h"
#include "train/task/distillation.h"
#include "train/task/task.h"

namespace vitrail {

struct ClassificationOptions {
  Preprocessing preprocessing;
  std::vector<std::string> class_names;
  Augmentation augmentation{};
  double label_smoothing = 0;  // of the training loss; the metric's loss is without
  // Of the training loss: an image counts as class_weights_of() of its class says (a mixed image as the mean of its classes, by
  // their parts), and the sum is divided by the number of images. As if images of rare classes were there several times.
  std::string class_weights = "none";
  bool balanced_sampling = false;  // how the images are drawn (data/sampling.h); for guess_loss() alone
  // The training loss learns from this teacher, too: of a model with two heads the one on the distillation token, else the one
  // head from both. Images count in it as they do by class_weights.
  DistillationOptions distillation{};
  std::shared_ptr<Teacher> teacher{};
  std::optional<AnswerCalibration> calibration{};  // of the answers: temperature, and what counts as unknown
};

// With the augmentation and the label smoothing of a run's configuration.
ClassificationOptions classification_options(const TrainConfig& config, const Preprocessing& preprocessing,
                                             std::vector<std::string> class_names);

// A mixed batch is trained with its soft labels; its training accuracy counts the class that has the larger part of the
// picture. Scores: top1, top5, loss (cross-entropy without label smoothing); beside them macro_f1 and balanced_accuracy.
class ClassificationTask final : public Task {
 public:
  // The model must outlive the task. Error(kValue) if the model's size, channels or classes differ from the options', or if
  // distillation and a teacher do not come together.
  ClassificationTask(models::Classifier& model, ClassificationOptions options);
  ClassificationTask(std::unique_ptr<models::Classifier> model, ClassificationOptions options);

  std::string name() const override { return kClassification; }
  models::Classifier& model() override { return *model_; }
  std::string architecture() const override { return model_->config_json(); }
  ModelCard card() const override { return {options_.preprocessing, options_.class_names, "{}", name()}; }
  const ClassificationOptions& options() const { return options_; }

  void check_data(const Dataset& data) const override;
  std::vector<std::string> notes(const Dataset& train) const override;
  void see(const Dataset& train) override;
  std::optional<double> guess_loss() const override { return guess_loss_; }
  Example prepare(const Sample& sample, const Rng* rng) const override { return prepare_(sample, rng); }
  // A teacher must see the pictures.
  models::Classifier* staged_model() override { return options_.teacher ? nullptr : model_.get(); }
  Loss loss(const Batch& batch) override;
  std::vector<Prediction> predict(const Batch& batch) override;
  std::unique_ptr<Metric> metric() const override;

  struct Answer {
    int64_t index;
    double probability;
  };
  // The `top` most probable classes, the most probable first; of equal ones the lower class. With a calibration the probabilities
  // are those at its temperature.
  std::vector<Answer> answers(const Prediction& prediction, int64_t top) const;

  // Whether the largest probability is below what the calibration asks for; never without one.
  bool unknown(const Prediction& prediction) const;
  // Answers as the model gives them from here on.
  void drop_calibration() { options_.calibration.reset(); }

  std::string summary(const Scores& scores) const override;
  // "shoe 98.1 %, boot 1.2 %", or "unknown (most probable: shoe 41.0 %, boot 22.3 %)"
  std::string to_text(const Prediction& prediction, int64_t top) const override;
  // [{"class": .., "index": .., "probability": ..}, ...]
  void to_json(JsonWriter& json, const Prediction& prediction, int64_t top) const override;
  // The picture above one bar for each of the most probable classes: green is the truth, red another, grey if none is known.
  Tensor draw(const Sample& sample, const Prediction& prediction) const override;

 private:
  Tensor image_weights(const Batch& batch) const;
  Variable label_loss(const Variable& logits, const Batch& batch, const Tensor& weights) const;
  Loss imitate(const Batch& batch);
  Variable logits_of(const Batch& batch);

  std::shared_ptr<models::Classifier> model_;
  ClassificationOptions options_;
  Prepare prepare_;
  Tensor class_weights_;  // f32 [K], or undefined
  std::optional<double> guess_loss_;
};

// From a saved model. Error(kData) if it does not fit together.
std::unique_ptr<Task> make_classification(SavedModel saved);

}  // namespace vitrail
