// Training and evaluation as scopes, freezing, and observing layers.
#include <doctest/doctest.h>

#include <map>

#include "nn/nn.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

std::vector<bool> modes(nn::Module& module) {
  std::vector<bool> result;
  for (const auto& entry : module.named_modules()) result.push_back(entry.second->training());
  return result;
}

// conv, norm, flatten, a nested Sequential of two
struct Tower : nn::Sequential {
  explicit Tower(Rng rng) {
    add<nn::Conv2d>(1, 2, 3, 3, rng, Conv2dOptions{.padding_h = 1, .padding_w = 1});
    add<nn::BatchNorm2d>(2);
    add<nn::Flatten>();
    auto& inner = add<nn::Sequential>();
    inner.add<nn::Linear>(32, 8, rng);
    inner.add<nn::Dropout>(0.5);
  }
};

TEST_CASE("an evaluation scope gives every module the mode it had") {
  Tower net(Rng(1));
  net[1].eval();
  net[3].eval();
  dynamic_cast<nn::Sequential&>(net[3])[0].train();  // a child in training below a parent in evaluation
  const std::vector<bool> before = modes(net);
  {
    const nn::EvalGuard evaluation(net);
    CHECK(modes(net) == std::vector<bool>(before.size(), false));
    {
      const nn::ModeGuard training(net, true);
      CHECK(modes(net) == std::vector<bool>(before.size(), true));
    }
    CHECK(modes(net) == std::vector<bool>(before.size(), false));
  }
  CHECK(modes(net) == before);
}

TEST_CASE("an evaluation scope restores the modes when an error leaves it") {
  Tower net(Rng(1));
  net[1].eval();
  const std::vector<bool> before = modes(net);
  CHECK_FALSE(message_of([&] {
                const nn::EvalGuard evaluation(net);
                net(random_images({1, 7, 4, 4}));
              }).empty());
  CHECK(modes(net) == before);
}

TEST_CASE("a frozen part keeps its values, its statistics and its mode, whatever train() is called above") {
  Tower net(Rng(1));
  net[1].freeze();
  net.train();
  CHECK(net[1].frozen());
  CHECK_FALSE(net[1].training());
  const auto& norm = dynamic_cast<nn::BatchNorm2d&>(net[1]);
  const Tensor before = clone(norm.running_mean);
  sum(net(random_images({2, 1, 4, 4}))).backward();
  CHECK(bit_equal(norm.running_mean, before));
  CHECK_FALSE(norm.weight.grad().defined());
  CHECK(dynamic_cast<nn::Conv2d&>(net[0]).weight.grad().defined());
  net[1].unfreeze();
  CHECK(net[1].training());
  CHECK(norm.weight.requires_grad());
}

TEST_CASE("an observer gets the dotted path, the input and the output of every layer, inner ones first") {
  Tower net(Rng(1));
  net.eval();
  const Tensor x = random_images({2, 1, 4, 4});
  std::vector<std::string> paths;
  std::map<std::string, Tensor> outputs;
  Tensor y;
  {
    const nn::ObserverGuard watch(net, [&](const nn::Observation& o) {
      paths.push_back(o.path);
      outputs[o.path] = o.output.value();
      if (o.path == "3.0") CHECK(o.input.shape() == Shape{2, 32});
    });
    y = net(x).value();
  }
  CHECK(paths == std::vector<std::string>{"0", "1", "2", "3.0", "3.1", "3", ""});
  CHECK(bit_equal(outputs.at(""), y));
  CHECK(outputs.at("0").shape() == Shape{2, 2, 4, 4});
  net(x);
  CHECK(paths.size() == 7);
}

TEST_CASE("nested observers each see their own tree") {
  Tower net(Rng(1));
  net.eval();
  int all = 0, inner = 0;
  const nn::ObserverGuard outside(net, [&](const nn::Observation&) { ++all; });
  {
    const nn::ObserverGuard inside(net[3], [&](const nn::Observation& o) { inner += o.path != "none"; });
    net(random_images({1, 1, 4, 4}));
  }
  net(random_images({1, 1, 4, 4}));
  CHECK(all == 14);
  CHECK(inner == 3);
}

TEST_CASE("the attention and MLP of every block of a ViT are observed by their paths, with their graph") {
  Rng rng(1);
  models::ViT model(tiny_config(), rng);
  std::map<std::string, Variable> outputs;
  {
    const nn::ObserverGuard watch(model, [&](const nn::Observation& o) { outputs[o.path] = o.output; });
    model(random_images({2, 3, 8, 8}));
  }
  for (const char* path : {"patch_embed", "blocks.0", "blocks.0.attn", "blocks.0.attn.qkv", "blocks.1.mlp.fc2", "norm", "head"}) {
    CAPTURE(path);
    REQUIRE(outputs.count(path) == 1);
    CHECK(outputs.at(path).requires_grad());
  }
  CHECK(outputs.at("blocks.0.attn.qkv").shape() == Shape{2, 5, 48});
}

}  // namespace
}  // namespace vitrail::testing
