#include "train/task/multi_label.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "autograd/ops.h"
#include "base/file.h"
#include "tensor/ops.h"
#include "train/augmentation.h"
#include "train/class_balance.h"
#include "train/task/drawing.h"
#include "train/task/multi_label_metric.h"

namespace vitrail {

namespace {

Tensor as_tensor(const std::vector<double>& values) {
  Tensor result = empty({static_cast<int64_t>(values.size())}, Dtype::f32, kMultiLabel);
  std::copy(values.begin(), values.end(), result.mutable_data<float>());
  return result;
}

double entropy(double q) { return q <= 0 || q >= 1 ? 0 : -q * std::log(q) - (1 - q) * std::log(1 - q); }

// The part of the pictures whose every class is said as it is.
double exact_part(const Tensor& logits, const Tensor& truth) {
  const Tensor x = contiguous(logits), t = contiguous(truth);
  int64_t right = 0;
  for (int64_t i = 0; i < x.size(0); ++i) {
    const float *row = x.data<float>() + i * x.size(1), *own = t.data<float>() + i * x.size(1);
    bool same = true;
    for (int64_t c = 0; c < x.size(1); ++c) same = same && (row[c] >= 0) == (own[c] >= 0.5F);
    right += same;
  }
  return static_cast<double>(right) / static_cast<double>(x.size(0));
}

}  // namespace

MultiLabelOptions multi_label_options(const TrainConfig& config, const Preprocessing& preprocessing,
                                      std::vector<std::string> class_names) {
  check(config.sampling == "shuffled", ErrorKind::kValue, "train",
        "sampling balanced draws each class equally often, and a picture here has several: sampling is ", config.sampling,
        ". Hint: --class-weights balanced.");
  return {preprocessing, std::move(class_names), augmentation_of(config), config.label_smoothing, config.class_weights};
}

MultiLabelTask::MultiLabelTask(models::Classifier& model, MultiLabelOptions options)
    : model_(std::shared_ptr<models::Classifier>(), &model),
      options_(std::move(options)),
      prepare_(prepare_with({options_.preprocessing, options_.augmentation})) {
  const auto names = static_cast<int64_t>(options_.class_names.size());
  check(names == model.num_classes(), ErrorKind::kValue, kMultiLabel, "class names and model differ: ", names,
        " names, the model has ", model.num_classes(), " classes.");
  class_weights_of(options_.class_weights, options_.class_names, std::vector<int64_t>(options_.class_names.size(), 1));
  set_threshold(options_.threshold);
}

MultiLabelTask::MultiLabelTask(std::unique_ptr<models::Classifier> model, MultiLabelOptions options)
    : MultiLabelTask(*model, std::move(options)) {
  model_ = std::move(model);
}

void MultiLabelTask::set_threshold(double threshold) {
  check(threshold > 0 && threshold < 1, ErrorKind::kValue, kMultiLabel, "threshold must lie between 0 and 1: it is ", threshold,
        ".");
  options_.threshold = threshold;
}

void MultiLabelTask::check_data(const Dataset& data) const {
  check(model_->num_classes() == data.num_classes(), ErrorKind::kValue, "train",
        "model and data have different classes: model has ", model_->num_classes(), ", ", data.name(), " has ",
        data.num_classes(), ".");
}

std::vector<std::string> MultiLabelTask::notes(const Dataset& train) const {
  int64_t labels = 0;
  for (int64_t i = 0; i < train.size(); ++i) labels += static_cast<int64_t>(train.labels(i).size());
  if (labels > 0) return {};
  return {"no training image has a label: there is nothing to learn. Usual causes: a wrong label file, or --limit."};
}

void MultiLabelTask::see(const Dataset& train) {
  const std::vector<int64_t> counts = class_counts(train);
  const auto images = static_cast<double>(train.size());
  std::vector<double> with = class_weights_of(is_balanced(options_.class_weights) ? "none" : options_.class_weights,
                                              options_.class_names, counts),
                      without = with;
  double guess = 0;
  for (size_t c = 0; c < counts.size(); ++c) {
    const double n = static_cast<double>(counts[c]), part = n / images;
    if (is_balanced(options_.class_weights) && n > 0 && n < images) with[c] = 0.5 / part, without[c] = 0.5 / (1 - part);
    const double a = with[c] * part, b = without[c] * (1 - part), s = options_.label_smoothing;
    if (a + b > 0) guess += (a + b) * entropy((a * (1 - s / 2) + b * s / 2) / (a + b));
  }
  guess_loss_ = guess / static_cast<double>(counts.size());
  if (options_.class_weights != "none") with_ = as_tensor(with), without_ = as_tensor(without);
}

Example MultiLabelTask::prepare(const Sample& sample, const Rng* rng) const {
  Example example = prepare_(sample, rng);
  if (!example.target.classes.defined()) {
    const int64_t label = sample.target.label;
    example.target = several(label < 0 ? std::vector<int64_t>{} : std::vector<int64_t>{label}, model_->num_classes());
  }
  return example;
}

Loss MultiLabelTask::loss(const Batch& batch) {
  const Variable logits = (*model_)(batch.images);
  const Tensor truth = batch.soft_labels.defined() ? batch.soft_labels : batch.class_labels;
  const double s = options_.label_smoothing;
  const Tensor target = s > 0 ? truth * (1 - s) + s / 2 : truth;
  Variable loss = bce_with_logits(logits, Variable(target), with_.defined() ? Reduction::kNone : Reduction::kMean);
  if (with_.defined()) loss = mean(loss * (truth * with_ + (1 - truth) * without_));
  return {loss, {{"exact_match", "exact match", exact_part(logits.value(), truth), ScoreUnit::kPart}}};
}

std::vector<Prediction> MultiLabelTask::predict(const Batch& batch) {
  const Tensor logits = (*model_)(batch.images).value();
  std::vector<Prediction> predictions(static_cast<size_t>(batch.size()));
  for (int64_t i = 0; i < batch.size(); ++i) predictions[i].logits = select(logits, 0, i);
  return predictions;
}

std::unique_ptr<Metric> MultiLabelTask::metric() const {
  return make_multi_label_metric(options_.class_names, options_.threshold);
}

// The logit of the mean probability of each class.
Prediction MultiLabelTask::mean_of_views(const std::vector<Prediction>& views) const {
  check(!views.empty(), ErrorKind::kValue, "predict", "there are no views whose mean could be taken.");
  Prediction result;
  result.logits = empty({model_->num_classes()}, Dtype::f32, "predict");
  for (int64_t c = 0; c < model_->num_classes(); ++c) {
    double p = 0, q = 0;  // of the class, and of its absence: near 1 the one is exact, near 0 the other
    for (const Prediction& view : views) {
      const double x = view.logits.at({c});
      p += 1 / (1 + std::exp(-x)), q += 1 / (1 + std::exp(x));
    }
    constexpr double kMost = std::numeric_limits<float>::max();
    result.logits.mutable_data<float>()[c] = static_cast<float>(std::clamp(std::log(p) - std::log(q), -kMost, kMost));
  }
  return result;
}

std::vector<double> MultiLabelTask::probabilities(const Prediction& prediction) const {
  return to_vector<double>(sigmoid(to(prediction.logits, Dtype::f64)));
}

std::vector<MultiLabelTask::Answer> MultiLabelTask::ordered(const Prediction& prediction) const {
  std::vector<Answer> all;
  for (const double p : probabilities(prediction)) all.push_back({static_cast<int64_t>(all.size()), p});
  std::stable_sort(all.begin(), all.end(), [](const Answer& a, const Answer& b) { return a.probability > b.probability; });
  return all;
}

std::vector<MultiLabelTask::Answer> MultiLabelTask::answers(const Prediction& prediction, int64_t top) const {
  std::vector<Answer> result;
  for (const Answer& answer : ordered(prediction))
    if (answer.probability >= options_.threshold && static_cast<int64_t>(result.size()) < top) result.push_back(answer);
  return result;
}

std::string MultiLabelTask::to_text(const Prediction& prediction, int64_t top) const {
  const auto text = [&](const Answer& answer) {
    char percent[32];
    std::snprintf(percent, sizeof percent, " %.1f %%", 100 * answer.probability);
    return escaped(options_.class_names[static_cast<size_t>(answer.index)]) + percent;
  };
  std::string line;
  for (const Answer& answer : answers(prediction, top)) line += (line.empty() ? "" : ", ") + text(answer);
  return line.empty() ? "none (most probable: " + text(ordered(prediction).front()) + ")" : line;
}

void MultiLabelTask::to_json(JsonWriter& json, const Prediction& prediction, int64_t top) const {
  json.begin_array();
  for (const auto& [index, probability] : answers(prediction, top))
    json.begin_object()
        .field("class", options_.class_names[static_cast<size_t>(index)])
        .field("index", index)
        .field("probability", probability)
        .end_object();
  json.end_array();
}

Tensor MultiLabelTask::draw(const Sample& sample, const Prediction& prediction) const {
  std::vector<Bar> bars;
  for (const Answer& answer : ordered(prediction)) {
    if (bars.size() == kMostBars) break;
    const Tensor& truth = sample.target.classes;
    const bool known = truth.defined() && truth.numel() > answer.index;
    const BarColour colour = !known                         ? BarColour::kUnknown
                             : truth.at({answer.index}) > 0 ? BarColour::kRight
                                                            : BarColour::kWrong;
    bars.push_back({answer.probability, colour});
  }
  return with_bars(sample.image, bars);
}

std::unique_ptr<Task> make_multi_label(SavedModel saved) {
  LoadedModel loaded = build_classifier(std::move(saved));
  return std::make_unique<MultiLabelTask>(std::move(loaded.model),
                                          MultiLabelOptions{loaded.card.preprocessing, loaded.card.class_names});
}

}  // namespace vitrail
