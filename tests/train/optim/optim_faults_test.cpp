// What an optimiser refuses, before and after it has changed a weight.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tiny_module.h"
#include "train/config.h"

using namespace vitrail;
using testing::TinyModule;

namespace {

constexpr const char* kOptimizers[] = {"adamw", "adam", "sgd", "lion", "rmsprop", "muon", "lamb", "lars"};

std::unique_ptr<Optimizer> optimizer_of(const std::string& name, nn::Module& module) {
  TrainConfig config;
  config.optimizer = name;
  return make_optimizer(config, module);
}

}  // namespace

TEST_CASE("every optimiser refuses a parameter whose value has another shape than its state, by name and before any change") {
  for (const char* name : kOptimizers) {
    CAPTURE(name);
    TinyModule module({1, 2}, Dtype::f32);
    const auto optimizer = optimizer_of(name, module);
    module.set_grads({1, 1}, 1);
    optimizer->step(0.1);
    const Tensor weight = clone(module.weight.value());
    module.bias.set_value(zeros({1 << 20}));
    module.bias.set_grad(zeros({1 << 20}));
    const auto error = testing::error_of([&] { optimizer->step(0.1); });
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::kValue);
    CHECK_MESSAGE(
        std::string(error->what()).find("state and parameter differ: bias is f32 [1048576], its ") != std::string::npos,
        error->what());
    CHECK(bit_equal(module.weight.value(), weight));
    CHECK(optimizer->num_steps() == 1);
  }
}

TEST_CASE("every optimiser refuses a gradient of another shape than the value, by name") {
  for (const char* name : kOptimizers) {
    CAPTURE(name);
    TinyModule module({1, 2}, Dtype::f32);
    const auto optimizer = optimizer_of(name, module);
    module.set_grads({1, 1}, 1);
    module.bias.set_value(zeros({5000}));
    CHECK(testing::refuses([&] { optimizer->step(0.1); }, ErrorKind::kValue, "bias is f32 [5000], its gradient is f32 [2]"));
  }
}

TEST_CASE("gradients are not accumulated into those of another shape") {
  Variable w(ones({4}), true);
  sum(w * w).backward();
  w.set_value(ones({9}));
  const Variable loss = sum(w * w);
  CHECK(testing::refuses([&] { loss.backward(); }, ErrorKind::kShape, "grad is [4], the new gradient is [9]"));
  w.zero_grad();
  const Variable again = sum(w * w);
  w.set_value(ones({2}));
  CHECK(testing::refuses([&] { again.backward(); }, ErrorKind::kShape, "value is [2], gradient is [9]"));
}

TEST_CASE("an update that gives NaN or infinity is found with every optimiser, in weights and in state") {
  for (const char* name : kOptimizers) {
    CAPTURE(name);
    TinyModule module({1, 2}, Dtype::f32);
    const auto optimizer = optimizer_of(name, module);
    module.set_grads({1, 1}, 1);
    const auto error = testing::error_of([&] { optimizer->step(1e39); });  // above the largest f32
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::kNumeric);
    CHECK_MESSAGE(std::string(error->what()).find("weights are not finite at step 0: the update of ") != std::string::npos,
                  error->what());
  }
  for (const char* name : {"adamw", "adam", "rmsprop", "lamb"}) {
    CAPTURE(name);
    TinyModule module({1, 2}, Dtype::f32);
    const auto optimizer = optimizer_of(name, module);
    module.set_grads({1e25, 1}, 1);  // its square is no f32: the weight would stand still for ever
    CHECK(testing::refuses([&] { optimizer->step(0.1); }, ErrorKind::kNumeric, "weight gave NaN or infinity"));
  }
}

TEST_CASE("a broken number is found wherever it stands in a large parameter") {
  for (const int64_t place : {0, 16383, 16384, 50000}) {
    Variable w(zeros({50001}), true);
    Tensor gradient = zeros({50001});
    gradient.mutable_data<float>()[place] = std::numeric_limits<float>::infinity();
    w.set_grad(gradient);
    Sgd optimizer({{"all", {{"w", w}}}});
    CHECK(testing::refuses([&] { optimizer.step(0.1); }, ErrorKind::kNumeric, "the update of w"));
  }
}

TEST_CASE("an optimiser without parameters and a step without gradients are refused with a hint") {
  struct Empty : nn::Module {
  } empty;
  CHECK(testing::refuses([&] { Sgd optimizer(single_group(empty)); }, ErrorKind::kValue, "Hint: register_parameter()"));
  CHECK(testing::refuses([&] { optimizer_of("adamw", empty); }, ErrorKind::kValue, "no parameter to train"));
  TinyModule module;
  Sgd optimizer(single_group(module));
  CHECK(testing::refuses([&] { optimizer.step(0.1); }, ErrorKind::kValue, "Hint: call loss.backward() before step()"));
  module.set_grads({1, 1, 1, 1}, 1);
  for (auto& [name, parameter] : module.named_parameters()) parameter->set_requires_grad(false);
  CHECK(testing::refuses([&] { optimizer.step(0.1); }, ErrorKind::kValue, "no parameter has a gradient"));
}
