#include "train/task/multi_label_metric.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "base/text.h"
#include "tensor/ops.h"
#include "train/average_precision.h"

namespace vitrail {

namespace {

double probability(float logit) { return 1 / (1 + std::exp(-static_cast<double>(logit))); }

class MultiLabelMetric final : public Metric {
 public:
  MultiLabelMetric(std::vector<std::string> class_names, double threshold)
      : threshold_(threshold), logits_(class_names.size()), truth_(class_names.size()), best_(class_names.size()) {
    details_.class_names = std::move(class_names);
    details_.labels.resize(details_.class_names.size());
  }

  void add(const Batch& batch, const std::vector<Prediction>& predictions) override {
    std::vector<Tensor> rows;
    for (const Prediction& prediction : predictions) rows.push_back(prediction.logits);
    const Tensor logits = contiguous(stack(rows, 0));
    const Tensor each = bce_with_logits(Variable(logits), Variable(batch.class_labels), Reduction::kNone).value();
    const Tensor losses = contiguous(mean(each, {1}));
    for (int64_t i = 0; i < batch.size(); ++i) {
      loss_.add(losses.data<float>()[i]);
      add_image(batch.indices[static_cast<size_t>(i)], logits.data<float>() + i * classes(),
                batch.class_labels.data<float>() + i * classes(), losses.data<float>()[i]);
    }
  }

  Scores result() const override {
    RunningMean map, macro;
    int64_t right = 0, both = 0;
    for (size_t c = 0; c < logits_.size(); ++c) {
      const LabelResult& label = details_.labels[c];
      if (const auto ap = average_precision(logits_[c], truth_[c])) map.add(*ap);
      if (label.images + label.answers > 0) macro.add(label.f1());
      right += label.right, both += label.images + label.answers;
    }
    const double micro = both > 0 ? 2.0 * static_cast<double>(right) / static_cast<double>(both) : 0;
    return {{"map", "mAP", map.mean(), ScoreUnit::kPart},
            {"micro_f1", "micro-F1", micro, ScoreUnit::kPart},
            {"macro_f1", "macro-F1", macro.mean(), ScoreUnit::kPart},
            {"exact_match", "exact match", exact_.mean(), ScoreUnit::kPart},
            {"loss", "loss", loss_.mean(), ScoreUnit::kNumber, false}};
  }

  std::vector<std::string> notes() const override {
    std::vector<std::string> absent, notes;
    for (size_t c = 0; c < logits_.size(); ++c)
      if (details_.labels[c].images == 0) absent.push_back(details_.class_names[c]);
    if (!absent.empty())
      notes.push_back(cat(absent.size(), absent.size() == 1 ? " class is" : " classes are",
                          " on no picture of the test and left out of the mAP: ", listed(absent)));
    return notes;
  }

  std::shared_ptr<const EvaluationDetails> details() const override {
    auto result = std::make_shared<EvaluationDetails>(details_);
    for (size_t c = 0; c < logits_.size(); ++c) result->labels[c].average_precision = average_precision(logits_[c], truth_[c]);
    for (const RankedSample& sample : best_)
      if (sample.index >= 0) result->best.push_back(sample);
    std::stable_sort(result->best.begin(), result->best.end(),
                     [](const RankedSample& a, const RankedSample& b) { return a.loss < b.loss; });
    if (result->best.size() > kMostRanked) result->best.resize(kMostRanked);
    return result;
  }

 private:
  int64_t classes() const { return static_cast<int64_t>(logits_.size()); }

  void add_image(int64_t index, const float* logits, const float* truth, double loss) {
    std::vector<int64_t> has, said;
    double confidence = 1;  // of the least sure of the classes
    for (int64_t c = 0; c < classes(); ++c) {
      const double p = probability(logits[c]);
      const bool is = truth[c] >= 0.5F, says = p >= threshold_;
      confidence = std::min(confidence, std::max(p, 1 - p));
      LabelResult& label = details_.labels[static_cast<size_t>(c)];
      label.images += is, label.answers += says, label.right += is && says;
      if (is) has.push_back(c);
      if (says) said.push_back(c);
      logits_[static_cast<size_t>(c)].push_back(logits[c]);
      truth_[static_cast<size_t>(c)].push_back(is);
    }
    exact_.add(has == said ? 1 : 0);
    if (std::isnan(loss)) return;  // evaluate() refuses it
    rank({index, set_text(details_.class_names, has), set_text(details_.class_names, said), confidence, loss}, has == said,
         has);
  }

  // In the order of the data set, so that of equal ones the first stays. The best hits: of the first class of each picture.
  void rank(RankedSample sample, bool right, const std::vector<int64_t>& has) {
    if (right) {
      if (has.empty()) return;
      RankedSample& best = best_[static_cast<size_t>(has.front())];
      if (best.index < 0 || sample.loss < best.loss) best = std::move(sample);
      return;
    }
    details_.keep_worst(std::move(sample));
  }

  double threshold_;
  std::vector<std::vector<float>> logits_;   // of each class, of all images
  std::vector<std::vector<uint8_t>> truth_;  // the same
  RunningMean loss_, exact_;
  EvaluationDetails details_;
  std::vector<RankedSample> best_;
};

}  // namespace

std::unique_ptr<Metric> make_multi_label_metric(std::vector<std::string> class_names, double threshold) {
  return std::make_unique<MultiLabelMetric>(std::move(class_names), threshold);
}

std::string set_text(const std::vector<std::string>& class_names, const std::vector<int64_t>& classes) {
  std::string text;
  for (const int64_t c : classes) text += (text.empty() ? "" : ", ") + class_names[static_cast<size_t>(c)];
  return text.empty() ? "none" : text;
}

}  // namespace vitrail
