#include "train/probe/head.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <variant>

#include "models/presets.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"

namespace vitrail {

StandardFeatures standardised(const Tensor& features) {
  check(features.dim() == 2 && features.size(0) >= 1 && features.dtype() == Dtype::f32, ErrorKind::kValue, "probe",
        "features must be f32 [N, D] with N at least 1: they are ", name_of(features.dtype()), " ", features.shape());
  const int64_t n = features.size(0), d = features.size(1);
  StandardFeatures result{to(features, Dtype::f64), {}, {}};
  result.mean = to_vector<double>(mean(result.values, {0}));
  result.deviation.resize(static_cast<size_t>(d));
  double* x = result.values.mutable_data<double>();
  parallel_for(d, 8, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      const double centre = result.mean[j];
      double sum = 0, most = std::abs(centre);
      for (int64_t i = 0; i < n; ++i) {
        const double distance = x[i * d + j] -= centre;
        sum += distance * distance;
        most = std::max(most, std::abs(distance));
      }
      const double deviation = std::sqrt(sum / static_cast<double>(n));
      const bool constant = deviation <= 1e-7 * most;  // rounding of f32 alone
      result.deviation[j] = constant ? 1 : deviation;
      for (int64_t i = 0; i < n; ++i) x[i * d + j] = constant ? 0 : x[i * d + j] / deviation;
    }
  });
  return result;
}

nn::LinearValues on_raw_features(const Tensor& weight, const Tensor& bias, const StandardFeatures& standard) {
  // LAB 8.6 BEGIN  The layer W, b on (x - mean) / deviation as one layer on x itself.
  const int64_t d = weight.size(1);
  const Tensor deviation = from_vector(standard.deviation, {1, d}), mean = from_vector(standard.mean, {d, 1});
  const Tensor raw = weight / deviation;  // W (x - m) / s + b = (W / s) x + b - (W / s) m
  return {to(raw, Dtype::f32), to(bias - squeeze(matmul(raw, mean), 1), Dtype::f32)};
  // LAB 8.6 END
}

Tensor apply_head(const nn::LinearValues& head, const Tensor& features) {
  return matmul(features, transpose(head.weight, 0, 1)) + head.bias;
}

std::unique_ptr<models::Classifier> with_head(models::Classifier& model, const nn::LinearValues& head) {
  Rng rng(0);
  models::ModelConfig config =
      models::adapted(models::config_from_json(model.config_json()), {.num_classes = head.weight.size(0)});
  // The new head stands alone: a distilled model loses the head of its distillation token, which stays.
  if (auto* vit = std::get_if<models::ViTConfig>(&config)) vit->dist_head = false;
  std::unique_ptr<models::Classifier> result = models::make_model(config, rng);
  nn::Linear* last = result->last_linear();
  check(last != nullptr && last->bias.defined(), ErrorKind::kValue, "probe",
        "the architecture has no last linear layer with a bias, whose rows are classes.");
  std::string head_path;
  for (const auto& [path, module] : result->named_modules())
    if (module == last) head_path = path + ".";
  nn::LoadOptions options;
  options.rename = [&](const std::string& key) { return key.starts_with(head_path) ? std::string() : key; };
  options.allow_missing = options.allow_unexpected = true;  // of the head alone: the architecture is the same
  result->load_state_dict(model.state_dict(), options);
  copy_(last->weight.value(), head.weight);
  copy_(last->bias.value(), head.bias);
  result->eval();
  return result;
}

}  // namespace vitrail
