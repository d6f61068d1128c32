// Batch norm with few values a channel, and what becomes of the running statistics.
#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops.h"
#include "tensor/safetensors.h"
#include "tests/support/cases.h"

namespace vitrail {
namespace {

struct Layer {
  explicit Layer(int64_t channels) : weight(full({channels}, 2), true), bias(full({channels}, 3), true) {
    mean = full({channels}, 0.5), var = full({channels}, 0.25);
  }
  Variable operator()(const Variable& x, bool training = true) {
    return batch_norm(x, weight, bias, mean, var, training, 0.1, 1e-5);
  }
  Variable weight, bias;
  Tensor mean, var;
};

TEST_CASE("an empty batch leaves the running statistics alone, and its gradients are zeros") {
  for (const Shape& shape : {Shape{0, 2, 3, 3}, Shape{4, 2, 0, 3}, Shape{0, 2}}) {
    Layer layer(2);
    const Variable x(zeros(shape), true);
    const Variable y = layer(x);
    CHECK(y.shape() == shape);
    CHECK(bit_equal(layer.mean, full({2}, 0.5)));
    CHECK(bit_equal(layer.var, full({2}, 0.25)));
    sum(y).backward();
    CHECK(x.grad().shape() == shape);
    CHECK(bit_equal(layer.weight.grad(), zeros({2})));
    CHECK(bit_equal(layer.bias.grad(), zeros({2})));
  }
}

TEST_CASE("no channels are legal") {
  Layer layer(0);
  CHECK(layer(Variable(zeros({2, 0, 3}))).shape() == Shape{2, 0, 3});
  CHECK(layer(Variable(zeros({1, 0})), false).shape() == Shape{1, 0});
}

TEST_CASE("one value a channel is refused in training, before anything changes, and is legal in evaluation") {
  Layer layer(2);
  const Variable x = from_vector(std::vector<float>{1, 2}, {1, 2, 1, 1});
  try {
    layer(x);
    FAIL("trained on one value");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kValue);
    CHECK_MESSAGE(std::string(error.what()).find("training needs more than one value a channel") != std::string::npos,
                  error.what());
    CHECK_MESSAGE(std::string(error.what()).find("Hint: larger batches") != std::string::npos, error.what());
  }
  CHECK(bit_equal(layer.mean, full({2}, 0.5)));
  const Tensor y = layer(x, false).value();
  CHECK(y.at({0, 0, 0, 0}) == doctest::Approx(2 * 0.5 / std::sqrt(0.25 + 1e-5) + 3));
}

TEST_CASE("two values a channel move the running variance by the unbiased variance") {
  Layer layer(1);
  layer(Variable(from_vector(std::vector<float>{1, 3}, {2, 1})));
  CHECK(layer.mean.at({0}) == doctest::Approx(0.9 * 0.5 + 0.1 * 2));
  CHECK(layer.var.at({0}) == doctest::Approx(0.9 * 0.25 + 0.1 * 2));
}

TEST_CASE("files with no images and with no channels give what their shapes say") {
  for (const char* name : {"numerics/bn_empty.safetensors", "numerics/bn_no_channels.safetensors"}) {
    const std::filesystem::path path = testing::case_path(name);
    if (path.empty()) return;
    const SafetensorsFile file = load_safetensors(path.string());
    std::vector<Tensor> in;
    for (const auto& [key, tensor] : file.tensors) in.push_back(clone(tensor));  // input.0 ... input.4
    REQUIRE(in.size() == 5);
    const Tensor mean = clone(in[3]), var = clone(in[4]);
    const Variable y = batch_norm(Variable(in[0], true), Variable(in[1], true), Variable(in[2], true), in[3], in[4], true);
    CHECK(y.shape() == in[0].shape());
    CHECK(bit_equal(mean, in[3]));
    CHECK(bit_equal(var, in[4]));
    sum(y).backward();
  }
}

}  // namespace
}  // namespace vitrail
