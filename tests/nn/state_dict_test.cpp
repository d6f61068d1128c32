// Loading values into a module: what is reported, what is renamed, what may differ.
#include <doctest/doctest.h>

#include "nn/nn.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

using Names = std::vector<std::string>;

struct Net : nn::Module {
  explicit Net(uint64_t seed) : rng(seed), fc(3, 2, rng), norm(2) {
    register_module("fc", fc);
    register_module("norm", norm);
  }
  Rng rng;
  nn::Linear fc;
  nn::BatchNorm2d norm;
};

// The report of a load that is refused.
nn::LoadReport refused(nn::Module& net, const nn::StateDict& state, const nn::LoadOptions& options = {}) {
  try {
    net.load_state_dict(state, options);
  } catch (const nn::LoadError& error) {
    return error.report;
  }
  FAIL("loaded");
  return {};
}

std::vector<Tensor> copies(nn::Module& net) {
  std::vector<Tensor> result;
  for (const auto& [name, tensor] : net.state_dict()) result.push_back(clone(tensor));
  return result;
}

bool unchanged(nn::Module& net, const std::vector<Tensor>& before) {
  const std::vector<Tensor> now = copies(net);
  for (size_t i = 0; i < now.size(); ++i)
    if (!bit_equal(now[i], before[i])) return false;
  return true;
}

TEST_CASE("a state that does not fit is reported key by key, all kinds at once, and changes nothing") {
  Net net(1);
  const auto before = copies(net);
  const nn::StateDict state = {{"fc.weight", ones({2, 3})}, {"fc.bias", ones({5})}, {"extra", ones({1})}};
  const nn::LoadReport report = refused(net, state);
  CHECK(report.loaded == Names{"fc.weight"});
  CHECK(report.missing == Names{"norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"});
  CHECK(report.unexpected == Names{"extra"});
  REQUIRE(report.mismatching.size() == 1);
  CHECK(report.mismatching[0].key == "fc.bias");
  CHECK(report.mismatching[0].reason == "model [2], given [5]");
  CHECK_FALSE(report.complete());
  CHECK(unchanged(net, before));
}

TEST_CASE("the message names the first keys of each kind and counts the rest, in one line") {
  Net net(1);
  nn::StateDict state = {{"fc.bias", ones({5})}};
  for (int i = 0; i < 1000; ++i) state.emplace_back("other\n" + std::string(200, 'x') + std::to_string(i), ones({1}));
  const std::string message = message_of([&] { net.load_state_dict(state); });
  CHECK(contains(message, "[load_state_dict] the weights do not fit the model, nothing was changed: "));
  CHECK(contains(message, "missing 5: fc.weight and 4 more."));  // one of each kind, so that the message has 290 bytes
  CHECK(contains(message, "unexpected 1000: other\\"));
  CHECK(contains(message, "and 999 more."));
  CHECK(contains(message, "mismatching 1: fc.bias (model [2], given [5])."));
  CHECK(message.find('\n') == std::string::npos);
  CHECK(message.size() <= 290);
  const std::string short_names = message_of([&] { net.load_state_dict({{"fc.bias", ones({5})}}); });
  CHECK(contains(short_names, "missing 5: fc.weight, norm.weight, norm.bias and 2 more."));
}

TEST_CASE("a state loads into another model, bit for bit, and the report says that all is there") {
  Net a(1), b(2);
  CHECK_FALSE(bit_equal(a.fc.weight.value(), b.fc.weight.value()));
  const nn::LoadReport report = b.load_state_dict(a.state_dict());
  CHECK(bit_equal(a.fc.weight.value(), b.fc.weight.value()));
  CHECK(report.complete());
  CHECK(report.loaded.size() == 6);
}

TEST_CASE("keys are renamed by a function, and a key renamed to nothing is left out") {
  Net net(1);
  const nn::LoadOptions options = {.rename = [](const std::string& key) {
    if (key == "step") return std::string();
    return key.starts_with("module.") ? key.substr(7) : key;
  }};
  nn::StateDict state = {{"step", ones({1})}};
  for (const auto& [name, tensor] : Net(2).state_dict()) state.emplace_back("module." + name, clone(tensor));
  CHECK(net.load_state_dict(state, options).complete());
  CHECK(bit_equal(net.fc.weight.value(), Net(2).fc.weight.value()));
}

TEST_CASE("an unexpected key is reported by the state's own name") {
  Net net(1);
  const nn::LoadOptions options = {.rename = [](const std::string& key) { return "x." + key; }, .allow_missing = true};
  CHECK(refused(net, {{"fc.bias", ones({2})}}, options).unexpected == Names{"fc.bias"});
}

TEST_CASE("a part of a state loads where that is allowed, and what is not allowed still refuses all") {
  Net net(1);
  const auto before = copies(net);
  const nn::StateDict state = {{"fc.weight", ones({2, 3})}, {"fc.bias", ones({5})}, {"extra", ones({1})}};
  refused(net, state, {.allow_missing = true, .allow_unexpected = true});
  refused(net, state, {.allow_missing = true, .allow_mismatching = true});
  refused(net, state, {.allow_unexpected = true, .allow_mismatching = true});
  CHECK(unchanged(net, before));
  const nn::LoadReport report =
      net.load_state_dict(state, {.allow_missing = true, .allow_unexpected = true, .allow_mismatching = true});
  CHECK(report.loaded == Names{"fc.weight"});
  CHECK(report.missing.size() == 4);
  CHECK(bit_equal(net.fc.weight.value(), ones({2, 3})));
  CHECK(bit_equal(net.fc.bias.value(), before[1]));
}

TEST_CASE("a key given twice, by itself or by renaming, is a mismatch") {
  Net net(1);
  nn::StateDict state = net.state_dict();
  state.emplace_back("fc.bias", ones({2}));
  CHECK(refused(net, state).mismatching[0].reason == "given twice, as fc.bias and as fc.bias");
  const nn::LoadOptions options = {.rename = [](const std::string& key) { return key == "head" ? "fc.bias" : key; }};
  state.back().first = "head";
  CHECK(refused(net, state, options).mismatching[0].reason == "given twice, as fc.bias and as head");
}

TEST_CASE("numbers of another kind do not fit, those of another width do") {
  Net net(1);
  nn::StateDict state = net.state_dict();
  state[1].second = to(ones({2}), Dtype::f64);
  CHECK(net.load_state_dict(state).complete());
  CHECK(net.fc.bias.value().at({0}) == 1);
  state[1].second = zeros({2}, Dtype::i64);
  CHECK(refused(net, state).mismatching[0].reason == "model f32, given i64");
}

TEST_CASE("a tied parameter loads from either of its names or from both, if they agree") {
  struct Tied : nn::Module {
    Tied() : a(zeros({2}), true), b(a) {
      register_parameter("a", a);
      register_parameter("b", b);
    }
    Variable a, b;
  };
  Tied net;
  CHECK(net.load_state_dict({{"a", ones({2})}}).complete());
  CHECK(bit_equal(net.b.value(), ones({2})));
  CHECK(net.load_state_dict({{"b", full({2}, 2)}}).complete());
  CHECK(bit_equal(net.a.value(), full({2}, 2)));
  CHECK(net.load_state_dict(Tied().state_dict()).loaded == Names{"a", "b"});
  const nn::LoadReport report = refused(net, {{"a", ones({2})}, {"b", full({2}, 3)}});
  CHECK(report.mismatching[0].reason == "tied to a, given with other values");
  CHECK(bit_equal(net.a.value(), zeros({2})));
}

}  // namespace
}  // namespace vitrail::testing
