// Multi-label classification: any number of the classes per picture, each said or not by itself.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/classifier.h"
#include "train/config.h"
#include "train/task/task.h"

namespace vitrail {

struct MultiLabelOptions {
  Preprocessing preprocessing;
  std::vector<std::string> class_names;
  Augmentation augmentation{};
  double label_smoothing = 0;  // of the training loss; the metric's loss is without
  // Of the training loss (TrainConfig::class_weights). By name: the term of class c counts w_c times. balanced: of each class
  // the images that have it count as much as those that have not: N / (2 n_c) and N / (2 (N - n_c)) times; a class that all or
  // none have 1.
  std::string class_weights = "none";
  double threshold = 0.5;  // a class is said where its probability reaches it
};

// As classification_options(). Error(kValue) for what makes no sense with several labels: balanced sampling.
MultiLabelOptions multi_label_options(const TrainConfig& config, const Preprocessing& preprocessing,
                                      std::vector<std::string> class_names);

// The loss is the mean over images and classes of w (-t' ln p - (1 - t') ln(1 - p)), p = sigmoid(logit): t is 0 or 1, of a
// mixed batch between; t' = (1 - s) t + s / 2 with label smoothing s. Scores: train/task/multi_label_metric.h. A set of one
// label per picture can be tested with it: that label is the whole set.
class MultiLabelTask final : public Task {
 public:
  // The model must outlive the task. Error(kValue) if the model's classes differ from the options', class_weights names another
  // class, or threshold is not in (0, 1).
  MultiLabelTask(models::Classifier& model, MultiLabelOptions options);
  MultiLabelTask(std::unique_ptr<models::Classifier> model, MultiLabelOptions options);

  std::string name() const override { return kMultiLabel; }
  models::Classifier& model() override { return *model_; }
  std::string architecture() const override { return model_->config_json(); }
  ModelCard card() const override { return {options_.preprocessing, options_.class_names, "{}", name()}; }
  const MultiLabelOptions& options() const { return options_; }
  // Error(kValue) unless it is in (0, 1).
  void set_threshold(double threshold);

  void check_data(const Dataset& data) const override;
  std::vector<std::string> notes(const Dataset& train) const override;
  void see(const Dataset& train) override;
  std::optional<double> guess_loss() const override { return guess_loss_; }
  Example prepare(const Sample& sample, const Rng* rng) const override;
  Loss loss(const Batch& batch) override;
  std::vector<Prediction> predict(const Batch& batch) override;
  std::unique_ptr<Metric> metric() const override;
  Prediction mean_of_views(const std::vector<Prediction>& views) const override;

  struct Answer {
    int64_t index;
    double probability;
  };
  // The classes whose probability reaches the threshold, at most `top`, the most probable first; of equal ones the lower class.
  std::vector<Answer> answers(const Prediction& prediction, int64_t top) const;
  // Of all classes, in their order.
  std::vector<double> probabilities(const Prediction& prediction) const;

  // "shoe 98.1 %, boot 71.2 %", or "none (most probable: boot 31.0 %)"
  std::string to_text(const Prediction& prediction, int64_t top) const override;
  // [{"class": .., "index": .., "probability": ..}, ...]
  void to_json(JsonWriter& json, const Prediction& prediction, int64_t top) const override;
  // The picture above one bar for each of the most probable classes: green is true, red is not, grey if that is not known.
  Tensor draw(const Sample& sample, const Prediction& prediction) const override;

 private:
  std::vector<Answer> ordered(const Prediction& prediction) const;

  std::shared_ptr<models::Classifier> model_;
  MultiLabelOptions options_;
  Prepare prepare_;
  Tensor with_, without_;  // f32 [C], weights of t = 1 and of t = 0; undefined: all 1
  std::optional<double> guess_loss_;
};

// From a saved model. Error(kData) if it does not fit together.
std::unique_ptr<Task> make_multi_label(SavedModel saved);

}  // namespace vitrail
