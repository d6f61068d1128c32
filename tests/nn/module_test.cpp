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

// Two parts that may be tied, registered in the order a, b.
struct Pair : nn::Module {
  explicit Pair(Rng& rng) : a(3, 3, rng), b(3, 3, rng) {
    register_module("a", a);
    register_module("b", b);
  }
  nn::Linear a, b;
};

TEST_CASE("a Variable registered under two names is one parameter, and the state holds both names") {
  Rng rng(1);
  Pair net(rng);
  CHECK(net.num_parameters() == 24);
  net.b.weight = net.a.weight;
  std::vector<std::string> names;
  for (const auto& p : net.named_parameters()) names.push_back(p.name);
  CHECK(names == std::vector<std::string>{"a.weight", "a.bias", "b.bias"});
  CHECK(net.num_parameters() == 15);
  CHECK(net.state_dict().size() == 4);
}

TEST_CASE("a module registered twice is one module, and the state holds both paths") {
  struct Twice : nn::Module {
    explicit Twice(Rng& rng) : fc(3, 2, rng) {
      register_module("first", fc);
      register_module("second", fc);
    }
    nn::Linear fc;
  };
  Rng rng(1);
  Twice net(rng);
  CHECK(net.named_modules().size() == 2);
  CHECK(net.num_parameters() == 8);
  CHECK(net.state_dict().size() == 4);
  CHECK(net.state_dict()[2].first == "second.weight");
}

struct Open : nn::Module {
  using nn::Module::register_module;
};

TEST_CASE("a module is not registered in itself, nor in a cycle") {
  Open a, b, c;
  CHECK(contains(message_of([&] { a.register_module("self", a); }), "a module cannot be registered in itself: name is self"));
  a.register_module("b", b);
  b.register_module("c", c);
  CHECK(contains(message_of([&] { c.register_module("a", a); }), "the tree would have a cycle"));
  CHECK(a.named_modules().size() == 3);
}

TEST_CASE("an entry that a Sequential or a ModuleList does not have is an error") {
  Rng rng(1);
  nn::Sequential net;
  net.add<nn::Flatten>();
  CHECK(contains(message_of([&] { net[5]; }), "[Sequential] there is no entry 5: it has 1"));
  nn::ModuleList<nn::Linear> list;
  CHECK(contains(message_of([&] { list[0]; }), "[ModuleList] there is no entry 0: it has 0"));
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
