// A member that nobody registered is found when it takes part in the loss.
#include "nn/registration.h"

#include <doctest/doctest.h>

#include "nn/nn.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

struct Forgetful : nn::Layer {
  explicit Forgetful(Rng& rng) : fc1(4, 3, rng), fc2(3, 2, rng), scale(ones({2}), true) { register_module("fc1", fc1); }
  Variable forward(const Variable& x) override { return fc2(relu(fc1(x))) * scale; }
  using Module::register_module;
  using Module::register_parameter;
  nn::Linear fc1, fc2;
  Variable scale;
};

TEST_CASE("a parameter in the loss that is not in the model's tree is an error until it is registered") {
  Rng rng(1);
  Forgetful net(rng);
  const auto message = [&] { return message_of([&] { nn::check_registered(sum(net(random_images({5, 4}))), net); }); };
  CHECK(contains(message(), "[check_registered] a parameter took part in the loss that is not in the model: its shape is [2, 3], its op is linear"));
  CHECK(contains(message(), "Hint: call register_module or register_parameter"));
  net.register_module("fc2", net.fc2);
  CHECK(contains(message(), "its shape is [2], its op is"));
  net.register_parameter("scale", net.scale);
  CHECK(message().empty());
}

TEST_CASE("frozen and tied parameters, constants and a whole ViT pass") {
  Rng rng(1);
  Forgetful net(rng);
  net.fc2.freeze();
  net.scale.set_requires_grad(false);
  CHECK_NOTHROW(nn::check_registered(sum(net(random_images({5, 4}))), net));
  CHECK_NOTHROW(nn::check_registered(Variable(ones({1})), net));
  models::ViT model(tiny_config(), rng);
  CHECK_NOTHROW(nn::check_registered(sum(model(random_images({2, 3, 8, 8}))), model));
}

}  // namespace
}  // namespace vitrail::testing
