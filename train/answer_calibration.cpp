#include "train/answer_calibration.h"

#include <algorithm>
#include <cmath>

#include "autograd/modes.h"
#include "data/loader.h"
#include "nn/module.h"
#include "tensor/ops.h"
#include "train/calibration.h"
#include "train/interrupt.h"
#include "train/probe/scale.h"

namespace vitrail {

namespace {

// The probability of each row's answer, and whether it is right.
struct Answers {
  std::vector<double> confidence;
  std::vector<bool> right;

  double error() const {
    Calibration bins;
    for (size_t i = 0; i < right.size(); ++i) bins.add(std::min(1.0, confidence[i]), right[i]);
    return bins.error();
  }
};

Answers answers_at(const LogitSet& set, double temperature) {
  const Tensor probabilities = contiguous(softmax(set.logits / temperature));
  const int64_t classes = probabilities.size(1);
  Answers result;
  for (size_t i = 0; i < set.labels.size(); ++i) {
    const double* row = probabilities.data<double>() + static_cast<int64_t>(i) * classes;
    const double* best = std::max_element(row, row + classes);
    result.confidence.push_back(*best);
    result.right.push_back(best - row == set.labels[i]);
  }
  return result;
}

}  // namespace

LogitSet logits_of(Task& task, const DatasetPtr& data, int64_t batch_size) {
  require_one_label(given(data, "calibrate"), "calibrate");
  task.check_data(*data);
  const NoGradGuard no_grad;
  const nn::EvalGuard evaluation(task.model());
  Loader loader = make_loader(task, data, {.batch_size = batch_size, .train = false});
  LogitSet set;
  std::vector<Tensor> rows;
  for (int64_t i = 0; i < loader.batches(); ++i) {
    const Batch batch = loader.batch(0, i);
    for (const Prediction& prediction : task.predict(batch)) rows.push_back(to(prediction.logits, Dtype::f64));
    for (const Target& target : batch.targets) set.labels.push_back(target.label);
    if (interrupt_signal() != 0) throw Interrupted();
  }
  set.logits = stack(rows, 0);
  check(min(isfinite(set.logits)).item() == 1, ErrorKind::kNumeric, "calibrate",
        "the model's answers are not finite. Hint: look at its weights and at mean and std of its preprocessing.");
  return set;
}

void check_share(double share) {
  check(share > 0 && share <= 1, ErrorKind::kValue, "calibrate", "the share of right answers to keep must be in (0, 1]: it is ",
        share, ".");
}

CalibrationReport calibrate_answers(const LogitSet& set, double share) {
  check_share(share);
  CalibrationReport report;
  AnswerCalibration& found = report.found;
  found.share = share, found.images = static_cast<int64_t>(set.labels.size());
  const double scale = calibrated_scale(set.logits, set.labels);
  found.temperature = 1 / scale;
  report.loss_before = quality_of(set.logits, set.labels).log_loss;
  const ScoreQuality after = quality_of(set.logits, set.labels, scale);
  report.loss_after = after.log_loss, report.accuracy = after.accuracy;
  found.ece_before = answers_at(set, 1).error();
  const Answers answers = answers_at(set, found.temperature);
  found.ece_after = answers.error();
  std::vector<double> right;
  for (size_t i = 0; i < answers.right.size(); ++i)
    if (answers.right[i]) right.push_back(answers.confidence[i]);
  check(!right.empty(), ErrorKind::kData, "calibrate", "not one of ", found.images,
        " answers is right: there is nothing to calibrate. Hint: do model and data belong together?");
  std::sort(right.begin(), right.end());
  const auto dropped = static_cast<size_t>((1 - share) * static_cast<double>(right.size()) + 1e-9);
  found.unknown_below = std::max(0.0, right[std::min(dropped, right.size() - 1)] - 1e-6);
  double kept = 0, refused = 0;
  for (size_t i = 0; i < answers.right.size(); ++i) {
    const bool known = answers.confidence[i] >= found.unknown_below;
    kept += answers.right[i] && known, refused += !answers.right[i] && !known;
  }
  const auto all = static_cast<double>(answers.right.size()), good = static_cast<double>(right.size());
  report.kept = kept / good;
  report.refused = all > good ? refused / (all - good) : 0;
  return report;
}

}  // namespace vitrail
