// Who decays and who does not.
#include <doctest/doctest.h>

#include "autograd/ops.h"
#include "train/optim/optim.h"

using namespace vitrail;

namespace {

struct Block : nn::Module {
  Block() : weight(zeros({4, 4}), true), bias(zeros({4}), true) {
    register_parameter("weight", weight);
    register_parameter("bias", bias);
  }
  Variable weight, bias;
};

struct Blocks : nn::Module {
  Blocks() {
    register_module("0", first);
    register_module("1", second);
  }
  Block first, second;
};

struct Model : nn::Module {
  Model() : cls_token(zeros({1, 1, 4}), true), pos_embed(zeros({1, 5, 4}), true), norm(zeros({4}), true) {
    register_parameter("cls_token", cls_token);
    register_parameter("pos_embed", pos_embed);
    register_module("blocks", blocks);
    register_parameter("norm_weight", norm);
  }
  Variable cls_token, pos_embed, norm;
  Blocks blocks;
};

// A table that only its owner knows for one.
struct WithTable : nn::Module {
  explicit WithTable(std::string spared_name = "table") : spared(std::move(spared_name)), table(zeros({3, 4}), true) {
    register_parameter("table", table);
    register_module("block", block);
  }
  std::vector<std::string> no_weight_decay() const override { return {spared}; }
  std::string spared;
  Variable table;
  Block block;
};

struct Outer : nn::Module {
  Outer() { register_module("inner", inner); }
  WithTable inner;
};

}  // namespace

TEST_CASE("what a module asks to be spared does not decay, wherever the module stands") {
  Outer outer;
  const std::vector<ParamGroup> groups = make_param_groups(outer, 0.05);
  REQUIRE(groups.size() == 2);
  REQUIRE(groups[0].parameters.size() == 1);
  CHECK(groups[0].parameters[0].first == "inner.block.weight");
  REQUIRE(groups[1].parameters.size() == 2);
  CHECK(groups[1].parameters[0].first == "inner.table");
}

TEST_CASE("a spared name that is no parameter is refused") {
  WithTable model("tabel");
  CHECK_THROWS_WITH_AS(make_param_groups(model, 0.05), doctest::Contains("it is tabel"), Error);
}

TEST_CASE("matrices decay; biases, norms, tokens and positions do not") {
  Model model;
  const std::vector<ParamGroup> groups = make_param_groups(model, 0.05);
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].weight_decay == 0.05);
  REQUIRE(groups[0].parameters.size() == 2);
  CHECK(groups[0].parameters[0].first == "blocks.0.weight");
  CHECK(groups[0].parameters[1].first == "blocks.1.weight");
  CHECK(groups[1].weight_decay == 0);
  CHECK(groups[1].parameters.size() == 5);
}

TEST_CASE("the printed list writes numbered blocks once") {
  Model model;
  model.norm.set_requires_grad(false);
  const std::string text = describe(make_param_groups(model, 0.05));
  CHECK(text.find("decay (weight decay 0.05, 2 tensors, 32 numbers): blocks.*.weight\n") != std::string::npos);
  CHECK(text.find("1 frozen): ") != std::string::npos);
  CHECK(text.find("blocks.*.bias") != std::string::npos);
  CHECK(text.find("blocks.1") == std::string::npos);
  const std::string shorter = describe(make_param_groups(model, 0.05), /*names=*/false);
  CHECK(shorter.find("decay (weight decay 0.05, 2 tensors, 32 numbers)\n") != std::string::npos);
  CHECK(shorter.find("bias") == std::string::npos);
}

TEST_CASE("a module with biases only gives one group") {
  nn::Module empty;
  CHECK(make_param_groups(empty, 0.1).empty());
}
