// A whole training run on plain loops against the same on the fast kernels: one bug in either form, in value or gradient of any
// operation that a ViT is made of, drives the two apart.
#include <doctest/doctest.h>

#include <cmath>

#include "models/presets.h"
#include "tensor/ops.h"
#include "tensor/plain.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

// Loss of every step, then all weights, after four steps of gradient descent with momentum on eight fixed images.
std::vector<double> training_run(const models::ModelConfig& config, Dtype dtype, Precision precision) {
  const PrecisionGuard products(precision);
  Rng rng(1);
  const auto model = models::make_model(config, rng);
  model->to(dtype);
  const Shape shape{8, model->in_chans(), model->img_height(), model->img_width()};
  const Tensor images = to(random_images(shape), dtype), labels = rand_int({8}, 0, model->num_classes(), Rng(9));
  std::vector<Tensor> velocity;
  std::vector<double> result;
  for (int step = 0; step < 4; ++step) {
    model->zero_grad();
    const Variable loss = cross_entropy((*model)(images), labels, {.label_smoothing = 0.1});
    loss.backward();
    result.push_back(loss.item());
    size_t i = 0;
    for (const auto& [name, parameter] : model->named_parameters()) {
      if (velocity.size() == i) velocity.push_back(zeros(parameter->shape(), dtype));
      velocity[i] = velocity[i] * 0.9 + parameter->grad();
      parameter->set_value(parameter->value() - velocity[i++] * 0.05);
    }
  }
  for (const auto& [name, parameter] : model->named_parameters()) {
    const std::vector<double> values = to_vector<double>(parameter->value());
    result.insert(result.end(), values.begin(), values.end());
  }
  return result;
}

// max |a - b| / max(1, |b|)
double relative_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]) / std::max(1.0, std::abs(b[i])));
  return largest;
}

double fast_against_plain(const models::ModelConfig& config, const std::vector<PlainOp>& ops, Dtype dtype,
                          Precision precision = Precision::kF32) {
  const std::vector<double> fast = training_run(config, dtype, precision);
  const PlainGuard guard("all");
  const std::vector<double> plain = training_run(config, dtype, precision);
  for (const PlainOp op : ops) {
    CAPTURE(std::string(plain_name(op)));
    CHECK(guard.runs(op) > 0);
  }
  CHECK(fast[0] > fast[3]);  // it learns
  return relative_difference(fast, plain);
}

const std::vector<PlainOp> kViTOps = {PlainOp::kLinear,    PlainOp::kLayerNorm,   PlainOp::kGelu,   PlainOp::kCrossEntropy,
                                      PlainOp::kAttention, PlainOp::kElementwise, PlainOp::kReduce, PlainOp::kCopy};
const std::vector<PlainOp> kConvOps = {PlainOp::kConv2d, PlainOp::kPool, PlainOp::kLinear, PlainOp::kCrossEntropy};

// One block as the fused operations calculate it, and one with LayerScale and another GELU, which takes the steps one by one.
std::vector<models::ModelConfig> small_vits() {
  models::ViTConfig fused = tiny_config(), stepwise = tiny_config();
  stepwise.init_values = 0.5;
  stepwise.act_layer = "gelu_tanh";
  return {fused, stepwise};
}

models::ModelConfig small_cct() {
  return models::adapted(models::CctConfig{.embed_dim = 32, .conv_width = 16},
                         {.in_chans = 3, .img_height = 16, .img_width = 16, .num_classes = 5});
}

TEST_CASE("a small ViT trained on plain loops equals one trained on the fast kernels: f64 to 1e-12") {
  for (const auto& config : small_vits()) CHECK(fast_against_plain(config, kViTOps, Dtype::f64) <= 1e-12);
  CHECK(fast_against_plain(small_cct(), kConvOps, Dtype::f64) <= 1e-12);
}

// f32 rounds at 6e-8; sums of some hundred terms in another order, through four steps, move the last few bits.
TEST_CASE("a small ViT trained on plain loops equals one trained on the fast kernels: f32 to the rounding of sums") {
  for (const auto& config : small_vits()) {
    const double difference = fast_against_plain(config, kViTOps, Dtype::f32);
    CHECK(difference > 0);  // another calculation
    CHECK(difference <= 1e-6);
  }
  CHECK(fast_against_plain(small_cct(), kConvOps, Dtype::f32) <= 1e-6);
}

// Operands on the border between two bf16 numbers, 4e-3 apart, fall to either side.
TEST_CASE("a small ViT trained in bf16 on plain loops stays beside one trained on the fast kernels") {
  models::ViTConfig config = tiny_config();
  config.embed_dim = 64;
  CHECK(fast_against_plain(config, kViTOps, Dtype::f32, Precision::kBf16) <= 5e-3);
}

}  // namespace
}  // namespace vitrail::testing
