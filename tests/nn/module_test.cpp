#include <doctest/doctest.h>

#include "nn/nn.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

struct Named : nn::Module {
  explicit Named(const std::vector<std::string>& names) : parameters(names.size()) {
    for (size_t i = 0; i < names.size(); ++i) {
      parameters[i] = Variable(zeros({2}), true);
      register_parameter(names[i], parameters[i]);
    }
  }
  std::vector<Variable> parameters;
};

struct Net : nn::Module {
  explicit Net(Rng& rng) : fc(3, 2, rng), norm(2) {
    register_module("fc", fc);
    register_module("norm", norm);
  }
  nn::Linear fc;
  nn::BatchNorm2d norm;
};

TEST_CASE("names are refused when empty, dotted or taken") {
  CHECK(contains(message_of([] { Named({""}); }), "must not be empty"));
  CHECK(contains(message_of([] { Named({"a.b"}); }), "must not contain a dot"));
  CHECK(contains(message_of([] { Named({"a", "a"}); }), "the name is taken in this module: name is a"));
}

TEST_CASE("the state holds parameters and buffers by dotted path") {
  Rng rng(1);
  Net net(rng);
  std::vector<std::string> names;
  for (const auto& entry : net.state_dict()) names.push_back(entry.first);
  CHECK(names ==
        std::vector<std::string>{"fc.weight", "fc.bias", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"});
  CHECK(net.num_parameters() == 12);
}

TEST_CASE("a state that does not fit lists every problem and changes nothing") {
  Rng rng(1);
  Net net(rng);
  const Tensor before = clone(net.fc.weight.value());
  nn::StateDict state = {{"fc.weight", ones({2, 3})}, {"fc.bias", ones({5})}, {"extra", ones({1})}};
  const std::string message = message_of([&] { net.load_state_dict(state); });
  CHECK(contains(message, "Missing: norm.weight norm.bias norm.running_mean norm.running_var"));
  CHECK(contains(message, "Unexpected: extra"));
  CHECK(contains(message, "fc.bias (model [2], file [5])"));
  CHECK(bit_equal(before, net.fc.weight.value()));
}

TEST_CASE("a state loads into another model, bit for bit") {
  Rng rng(1);
  Net a(rng), b(rng);
  CHECK_FALSE(bit_equal(a.fc.weight.value(), b.fc.weight.value()));
  b.load_state_dict(a.state_dict());
  CHECK(bit_equal(a.fc.weight.value(), b.fc.weight.value()));
}

TEST_CASE("train and eval reach every module and never touch requires_grad") {
  Rng rng(1);
  Net net(rng);
  net.fc.weight.set_requires_grad(false);
  net.eval();
  CHECK_FALSE(net.norm.training());
  net.train();
  CHECK(net.norm.training());
  CHECK_FALSE(net.fc.weight.requires_grad());
  CHECK(net.fc.bias.requires_grad());
}

TEST_CASE("a module converts to double and back") {
  Rng rng(1);
  Net net(rng);
  net.to(Dtype::f64);
  CHECK(net.fc.weight.dtype() == Dtype::f64);
  CHECK(net.norm.running_mean.dtype() == Dtype::f64);
  CHECK(contains(message_of([&] { net.to(Dtype::i64); }), "i64"));
}

}  // namespace
}  // namespace vitrail::testing
