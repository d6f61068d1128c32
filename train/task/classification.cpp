#include "train/task/classification.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "base/file.h"
#include "tensor/ops.h"
#include "train/augmentation.h"
#include "train/class_balance.h"
#include "train/metrics.h"
#include "train/task/drawing.h"

namespace vitrail {

namespace {

class ClassificationMetric final : public Metric {
 public:
  explicit ClassificationMetric(std::vector<std::string> class_names)
      : truths_(class_names.size()), details_{std::move(class_names)}, best_(truths_.size()) {
    details_.confusion.emplace(static_cast<int64_t>(truths_.size()));
    details_.calibration.emplace();
  }

  void add(const Batch& batch, const std::vector<Prediction>& predictions) override {
    std::vector<Tensor> rows;
    for (const Prediction& prediction : predictions) rows.push_back(prediction.logits);
    const Tensor logits = stack(rows, 0);
    correct1_ += count_top_k(logits, batch.labels, 1);
    correct5_ += count_top_k(logits, batch.labels, 5);
    loss_.add(cross_entropy(Variable(logits), batch.labels).item(), static_cast<double>(batch.size()));
    for (const Target& target : batch.targets) ++truths_.at(static_cast<size_t>(target.label));
    add_details(batch, contiguous(to(log_softmax(logits), Dtype::f64)));
  }

  Scores result() const override {
    const double images = loss_.samples();
    return {{"top1", "top-1", static_cast<double>(correct1_) / images, ScoreUnit::kPart},
            {"top5", "top-5", static_cast<double>(correct5_) / images, ScoreUnit::kPart},
            {"loss", "loss", loss_.mean(), ScoreUnit::kNumber, false}};
  }

  Scores more() const override {
    return {{"macro_f1", "macro-F1", details_.confusion->macro_f1(), ScoreUnit::kPart},
            {"balanced_accuracy", "balanced accuracy", details_.confusion->balanced_accuracy(), ScoreUnit::kPart}};
  }

  // Within two standard deviations of what the most frequent class alone would give.
  std::vector<std::string> notes() const override {
    const double images = loss_.samples();
    const double chance = static_cast<double>(*std::max_element(truths_.begin(), truths_.end())) / images;
    const double accuracy = static_cast<double>(correct1_) / images;
    if (accuracy > chance + 2 * std::sqrt(chance * (1 - chance) / images)) return {};
    char text[96];
    std::snprintf(text, sizeof text, "an accuracy of %.1f %% is no better than always naming one class (%.1f %%)",
                  100 * accuracy, 100 * chance);
    return {cat(text,
                ". Usual causes: too few updates, a learning rate that is too high or too low, labels that do not belong "
                "to the images, images that the preprocessing makes all alike.")};
  }

  std::shared_ptr<const EvaluationDetails> details() const override {
    auto result = std::make_shared<EvaluationDetails>(details_);
    for (const RankedSample& sample : best_)
      if (sample.index >= 0) result->best.push_back(sample);
    std::stable_sort(result->best.begin(), result->best.end(),
                     [](const RankedSample& a, const RankedSample& b) { return a.confidence > b.confidence; });
    if (result->best.size() > kMostRanked) result->best.erase(result->best.begin() + kMostRanked, result->best.end());
    return result;
  }

 private:
  void add_details(const Batch& batch, const Tensor& log_probabilities) {
    const int64_t classes = log_probabilities.size(1);
    for (int64_t i = 0; i < batch.size(); ++i) {
      const double* row = log_probabilities.data<double>() + i * classes;
      if (std::any_of(row, row + classes, [](double x) { return std::isnan(x); })) continue;  // evaluate() refuses the loss
      const int64_t answer = std::max_element(row, row + classes) - row, truth = batch.targets[i].label;
      const double confidence = std::min(1.0, std::exp(row[answer]));
      details_.confusion->add(truth, answer);
      details_.calibration->add(confidence, answer == truth);
      rank({batch.indices[i], details_.class_names[truth], details_.class_names[answer], confidence, -row[truth]}, truth,
           answer);
    }
  }

  // In the order of the data set, so that of equal ones the first stays.
  void rank(RankedSample sample, int64_t truth, int64_t answer) {
    if (answer == truth) {
      RankedSample& best = best_[static_cast<size_t>(truth)];
      if (best.index < 0 || sample.confidence > best.confidence) best = std::move(sample);
      return;
    }
    details_.keep_worst(std::move(sample));
  }

  int64_t correct1_ = 0, correct5_ = 0;
  RunningMean loss_;
  std::vector<int64_t> truths_;  // images of each class
  EvaluationDetails details_;
  std::vector<RankedSample> best_;  // of each class
};

}  // namespace

ClassificationOptions classification_options(const TrainConfig& config, const Preprocessing& preprocessing,
                                             std::vector<std::string> class_names) {
  return {preprocessing,
          std::move(class_names),
          augmentation_of(config),
          config.label_smoothing,
          config.class_weights,
          config.sampling == "balanced",
          distillation_options(config),
          nullptr};
}

ClassificationTask::ClassificationTask(models::Classifier& model, ClassificationOptions options)
    : model_(std::shared_ptr<models::Classifier>(), &model),
      options_(std::move(options)),
      prepare_(prepare_with({options_.preprocessing, options_.augmentation})) {
  const auto names = static_cast<int64_t>(options_.class_names.size());
  check(names == model.num_classes(), ErrorKind::kValue, kClassification, "class names and model differ: ", names,
        " names, the model has ", model.num_classes(), " classes.");
  // A name that no class has is told before anything is opened for the run.
  class_weights_of(options_.class_weights, options_.class_names, std::vector<int64_t>(options_.class_names.size(), 1));
  check((options_.distillation.kind == DistillationKind::kNone) == !options_.teacher, ErrorKind::kValue, kClassification,
        "distillation and a teacher go together: there is ", options_.teacher ? "a teacher" : "no teacher", ".");
}

ClassificationTask::ClassificationTask(std::unique_ptr<models::Classifier> model, ClassificationOptions options)
    : ClassificationTask(*model, std::move(options)) {
  model_ = std::move(model);
}

void ClassificationTask::check_data(const Dataset& data) const {
  check(!data.info().multi_label, ErrorKind::kValue, "train", "the model answers with one class per picture, and ",
        escaped(data.name()),
        " has any number of labels. Hint: finetune on such data makes a model for it; --labels one takes each cell as one "
        "label.");
  check(model_->num_classes() == data.num_classes(), ErrorKind::kValue, "train",
        "model and data have different classes: model has ", model_->num_classes(), ", ", data.name(), " has ",
        data.num_classes(), ".");
}

std::vector<std::string> ClassificationTask::notes(const Dataset& train) const {
  if (train.size() < 2 || train.num_classes() < 2) return {};
  const int64_t first = train.label(0);
  for (int64_t i = 1; i < train.size(); ++i)
    if (train.label(i) != first) return {};
  return {cat("all ", train.size(), " training images have the label ", escaped(train.class_names().at(first), 60),
              ": there is nothing to tell apart. Usual causes: a wrong label file, or the first images of a sorted set "
              "(--limit).")};
}

void ClassificationTask::see(const Dataset& train) {
  const std::vector<int64_t> counts = class_counts(train);
  const bool balanced = options_.balanced_sampling;
  const auto occurring = static_cast<double>(std::count_if(counts.begin(), counts.end(), [](int64_t n) { return n > 0; }));
  std::vector<double> parts, weights(counts.size(), 1);
  for (const int64_t n : counts) {
    const double part = static_cast<double>(n) / static_cast<double>(train.size());
    parts.push_back(balanced ? (n > 0) / occurring : part);
  }
  if (options_.class_weights != "none") {
    weights = class_weights_of(options_.class_weights, options_.class_names, counts);
    class_weights_ = empty({static_cast<int64_t>(weights.size())}, Dtype::f32, kClassification);
    std::copy(weights.begin(), weights.end(), class_weights_.mutable_data<float>());
  }
  // Of a loss that a teacher has a part in, nobody knows it.
  if (!options_.teacher) guess_loss_ = constant_loss(parts, weights, options_.label_smoothing);
}

// What each image counts in the loss, [B]; undefined where all count alike. Of the images, not of the classes as
// CrossEntropyOptions has it: there the mass that smoothing gives to a rare class would count by its weight in every image.
Tensor ClassificationTask::image_weights(const Batch& batch) const {
  if (!class_weights_.defined()) return {};
  if (batch.soft_labels.defined()) return sum(batch.soft_labels * class_weights_, {1});
  return index_select(class_weights_, 0, batch.labels);
}

Variable ClassificationTask::label_loss(const Variable& logits, const Batch& batch, const Tensor& weights) const {
  CrossEntropyOptions options;
  options.label_smoothing = options_.label_smoothing;
  if (weights.defined()) options.reduction = Reduction::kNone;
  const Variable loss = cross_entropy(logits, batch.soft_labels.defined() ? batch.soft_labels : batch.labels, options);
  return weights.defined() ? mean(loss * weights) : loss;
}

// With a teacher. The score beside the accuracy: the part of the images on which both give the same answer.
Loss ClassificationTask::imitate(const Batch& batch) {
  const Tensor teacher = options_.teacher->logits(batch.images), weights = image_weights(batch);
  const models::HeadLogits heads = model_->head_logits(batch.images);
  const bool two = heads.teacher.defined();
  const Variable label = label_loss(heads.label, batch, weights);
  const Variable imitation = imitation_loss(two ? heads.teacher : heads.label, teacher, options_.distillation, weights);
  const Tensor answer = two ? (heads.label.value() + heads.teacher.value()) * 0.5 : heads.label.value();
  return {distilled_loss(label, imitation, options_.distillation),
          {{"top1", "top-1", top_k_accuracy(answer, batch.labels), ScoreUnit::kPart},
           {"agreement", "as the teacher", top_k_accuracy(answer, argmax(teacher, 1)), ScoreUnit::kPart}}};
}

Variable ClassificationTask::logits_of(const Batch& batch) {
  return batch.stages > 0 ? model_->finish(batch.images, batch.stages) : (*model_)(batch.images);
}

Loss ClassificationTask::loss(const Batch& batch) {
  if (options_.teacher) return imitate(batch);
  const Variable logits = logits_of(batch);
  const Variable loss = label_loss(logits, batch, image_weights(batch));
  return {loss, {{"top1", "top-1", top_k_accuracy(logits.value(), batch.labels), ScoreUnit::kPart}}};
}

std::vector<Prediction> ClassificationTask::predict(const Batch& batch) {
  const Tensor logits = logits_of(batch).value();
  std::vector<Prediction> predictions(static_cast<size_t>(batch.size()));
  for (int64_t i = 0; i < batch.size(); ++i) predictions[i].logits = select(logits, 0, i);
  return predictions;
}

std::unique_ptr<Metric> ClassificationTask::metric() const {
  return std::make_unique<ClassificationMetric>(options_.class_names);
}

std::string ClassificationTask::summary(const Scores& scores) const {
  Scores renamed = scores;
  for (Score& entry : renamed)
    if (entry.name == "top1") entry.label = "accuracy";
  return format_scores(renamed, 4);
}

std::vector<ClassificationTask::Answer> ClassificationTask::answers(const Prediction& prediction, int64_t top) const {
  const double temperature = options_.calibration ? options_.calibration->temperature : 1;
  const Tensor logits = temperature == 1 ? prediction.logits : prediction.logits / temperature;
  const Tensor probabilities = softmax(unsqueeze(logits, 0));
  const auto [values, classes] = topk(probabilities, std::min(top, model_->num_classes()));
  std::vector<Answer> result;
  for (int64_t i = 0; i < values.size(1); ++i) result.push_back({static_cast<int64_t>(classes.at({0, i})), values.at({0, i})});
  return result;
}

bool ClassificationTask::unknown(const Prediction& prediction) const {
  return options_.calibration && answers(prediction, 1).front().probability < options_.calibration->unknown_below;
}

std::string ClassificationTask::to_text(const Prediction& prediction, int64_t top) const {
  std::string line;
  for (const Answer& answer : answers(prediction, top)) {
    char percent[32];
    std::snprintf(percent, sizeof percent, " %.1f %%", 100 * answer.probability);
    line += (line.empty() ? "" : ", ") + escaped(options_.class_names[answer.index]) + percent;
  }
  return unknown(prediction) ? "unknown (most probable: " + line + ")" : line;
}

void ClassificationTask::to_json(JsonWriter& json, const Prediction& prediction, int64_t top) const {
  json.begin_array();
  for (const auto& [index, probability] : answers(prediction, top))
    json.begin_object()
        .field("class", options_.class_names[index])
        .field("index", index)
        .field("probability", probability)
        .end_object();
  json.end_array();
}

Tensor ClassificationTask::draw(const Sample& sample, const Prediction& prediction) const {
  std::vector<Bar> bars;
  for (const Answer& answer : answers(prediction, kMostBars)) {
    const int64_t truth = sample.target.label;
    bars.push_back({answer.probability, truth < 0               ? BarColour::kUnknown
                                        : truth == answer.index ? BarColour::kRight
                                                                : BarColour::kWrong});
  }
  return with_bars(sample.image, bars);
}

std::unique_ptr<Task> make_classification(SavedModel saved) {
  LoadedModel loaded = build_classifier(std::move(saved));
  ClassificationOptions options{loaded.card.preprocessing, loaded.card.class_names};
  options.calibration = loaded.card.calibration;
  return std::make_unique<ClassificationTask>(std::move(loaded.model), std::move(options));
}

}  // namespace vitrail
