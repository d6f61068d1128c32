#include "train/task/test_time.h"

#include <algorithm>
#include <limits>

#include "autograd/modes.h"
#include "tensor/ops.h"

namespace vitrail {
namespace {

void check_finite_part(const Tensor& part) {
  if (!part.defined() || !is_float(part.dtype()) || part.numel() == 0) return;
  check(min(isfinite(part)).item() == 1, ErrorKind::kNumeric, "predict",
        "the model's answer is not finite. Hint: look at its weights and at mean and std of its preprocessing.");
}

}  // namespace

std::vector<Prediction> predict_examples(Task& task, std::vector<Example> examples) {
  const NoGradGuard no_grad;
  std::vector<Prediction> predictions = task.predict(task.collate(std::move(examples)));
  for (const Prediction& prediction : predictions)
    for (const Tensor& part : {prediction.logits, prediction.boxes, prediction.box_scores, prediction.embedding})
      check_finite_part(part);
  return predictions;
}

Prediction mean_prediction(const std::vector<Prediction>& views) {
  check(!views.empty(), ErrorKind::kValue, "predict", "there are no views whose mean could be taken.");
  std::vector<Tensor> probabilities;
  for (const Prediction& view : views) {
    check(view.logits.defined(), ErrorKind::kValue, "predict", "only predictions of classes have a mean.");
    probabilities.push_back(softmax(to(view.logits, Dtype::f64)));
  }
  Tensor logits = log(mean(stack(probabilities, 0), {0}));
  double* x = logits.mutable_data<double>();
  for (int64_t k = 0; k < logits.numel(); ++k) x[k] = std::max<double>(x[k], std::numeric_limits<float>::lowest());
  Prediction result;
  result.logits = to(logits, Dtype::f32);
  return result;
}

}  // namespace vitrail
