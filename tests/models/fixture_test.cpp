// Four trained ViTs of another library (vit-pytorch's layout), rebuilt from our layers and compared number by number.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "autograd/ops.h"
#include "nn/nn.h"
#include "tensor/safetensors.h"

namespace vitrail::testing {
namespace {

using Tensors = std::map<std::string, Tensor>;

Tensors read_fixture(const std::string& path) {
  const SafetensorsFile file = load_safetensors(path);
  return {file.tensors.begin(), file.tensors.end()};
}

// Pre-norm blocks with and without an MLP, class token, ReLU, eps 1e-5, no bias in qkv.
struct FixtureBlock : nn::Module {
  FixtureBlock(int64_t dim, int64_t mlp_hidden, Rng& rng)
      : norm1(dim, 1e-5), attn(dim, 4, rng, {.qkv_bias = false}), norm2(dim, 1e-5) {
    register_module("norm1", norm1);
    register_module("attn", attn);
    if (mlp_hidden == 0) return;
    mlp = std::make_unique<nn::Mlp>(dim, mlp_hidden, rng, nn::ActivationKind::kRelu);
    register_module("norm2", norm2);
    register_module("mlp", *mlp);
  }
  nn::LayerNorm norm1;
  nn::MultiHeadAttention attn;
  nn::LayerNorm norm2;
  std::unique_ptr<nn::Mlp> mlp;
};

struct FixtureViT : nn::Module {
  FixtureViT(const Tensors& w, int64_t depth, int64_t hidden, Rng& rng)
      : patch(static_cast<int64_t>(std::sqrt(w.at("to_patch_embedding.1.weight").size(1)))),
        dim(w.at("cls_token").size(2)),
        embed(patch, patch, 1, dim, rng),
        cls_token(zeros({1, 1, dim}), true),
        pos_embed(zeros(w.at("pos_embedding").shape()), true),
        norm(dim, 1e-5),
        head(dim, 3, rng) {
    register_parameter("cls_token", cls_token);
    register_parameter("pos_embed", pos_embed);
    register_module("embed", embed);
    register_module("blocks", blocks);
    for (int64_t i = 0; i < depth; ++i) blocks.add(dim, hidden, rng).attn.keep_attention_map = true;
    register_module("norm", norm);
    register_module("head", head);
  }

  // Leaves every activation under the reference's name in `seen`.
  Variable run(const Variable& images, Tensors& seen) {
    Variable x = embed(images);
    seen["patch_embed"] = x.value();
    x = concat({expand(cls_token, {x.size(0), 1, dim}), x}, 1) + pos_embed;
    seen["tokens"] = x.value();
    for (size_t i = 0; i < blocks.size(); ++i) {
      const std::string name = "block" + std::to_string(i);
      FixtureBlock& block = blocks[i];
      x = x + block.attn(block.norm1(x));
      seen[name + ".attn_probs"] = block.attn.attention_map;
      seen[name + ".after_attn"] = x.value();
      if (!block.mlp) continue;
      x = x + (*block.mlp)(block.norm2(x));
      seen[name + ".after_mlp"] = x.value();
    }
    return head(norm(select(x, 1, 0)));
  }

  int64_t patch, dim;
  nn::PatchEmbed embed;
  Variable cls_token, pos_embed;
  nn::ModuleList<FixtureBlock> blocks;
  nn::LayerNorm norm;
  nn::Linear head;
};

// Our parameter's name in the reference. Blocks without an MLP are one level flatter there.
std::string reference_name(std::string name, bool has_mlp) {
  const auto swap = [&](const std::string& from, const std::string& to) {
    const size_t at = name.find(from);
    if (at != std::string::npos) name.replace(at, from.size(), to);
  };
  if (name.rfind("blocks.", 0) != 0) {
    swap("pos_embed", "pos_embedding"), swap("embed.proj", "to_patch_embedding.1");
    if (name.rfind("norm.", 0) == 0) swap("norm", "mlp_head.0");
    if (name.rfind("head.", 0) == 0) swap("head", "mlp_head.1");
    return name;
  }
  swap("blocks", "transformer.layers");
  swap("norm1", has_mlp ? "0.norm" : "norm"), swap("norm2", "1.norm");
  swap("attn.qkv", has_mlp ? "0.fn.to_qkv" : "fn.to_qkv"), swap("attn.proj", has_mlp ? "0.fn.to_out.0" : "fn.to_out.0");
  swap("mlp.fc1", "1.fn.net.0"), swap("mlp.fc2", "1.fn.net.3");
  return name;
}

double relative_l2(const Tensor& a, const Tensor& b) {
  REQUIRE(a.numel() == b.numel());
  const auto x = to_vector<double>(a), y = to_vector<double>(b);
  double difference = 0, size = 0;
  for (size_t i = 0; i < x.size(); ++i) difference += (x[i] - y[i]) * (x[i] - y[i]), size += y[i] * y[i];
  return std::sqrt(difference) / (std::sqrt(size) + 1e-300);
}

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const auto x = to_vector<double>(a), y = to_vector<double>(b);
  double largest = 0;
  for (size_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::abs(x[i] - y[i]));
  return largest;
}

std::string fixture_folder() {
  if (const char* folder = std::getenv("VITRAIL_VIT_FIXTURES")) return folder;
  for (const char* folder : {"../shared/data/vit-fixtures", "/work/shared/data/vit-fixtures"}) {
    if (std::filesystem::exists(folder)) return folder;
  }
  return "";
}

struct Rebuilt {
  Rebuilt(const Tensors& weights, Dtype dtype) {
    const bool has_mlp = weights.count("transformer.layers.0.0.norm.weight") > 0;
    int64_t depth = 0;
    const std::string inner = has_mlp ? ".0.norm.weight" : ".norm.weight";
    while (weights.count("transformer.layers." + std::to_string(depth) + inner) > 0) ++depth;
    Rng rng(1);
    const int64_t hidden = has_mlp ? weights.at("transformer.layers.0.1.fn.net.0.weight").size(0) : 0;
    model = std::make_unique<FixtureViT>(weights, depth, hidden, rng);
    for (const auto& p : model->named_parameters()) {
      names[p.name] = reference_name(p.name, has_mlp);
      copy_(p.parameter->value(), reshape(weights.at(names[p.name]), p.parameter->shape()));
    }
    model->to(dtype);
  }
  static Tensor reshape(const Tensor& x, const Shape& shape) { return Variable(vitrail::reshape(Variable(x), shape)).value(); }
  std::unique_ptr<FixtureViT> model;
  std::map<std::string, std::string> names;
};

void compare(const std::string& path, Dtype dtype) {
  const double logit_gate = dtype == Dtype::f32 ? 1e-4 : 1e-9, gradient_gate = dtype == Dtype::f32 ? 1e-5 : 1e-10;
  const Tensors reference = read_fixture(path + ".reference.safetensors");
  Rebuilt rebuilt(read_fixture(path + ".safetensors"), dtype);
  const Variable images(to(reference.at("input"), dtype), true);
  Tensors seen;
  const Variable logits = rebuilt.model->run(images, seen);
  CHECK(largest_difference(logits.value(), reference.at(dtype == Dtype::f32 ? "logits_f32" : "logits_f64")) <= logit_gate);

  int activations = 0;
  for (const auto& entry : reference) {
    const std::string& name = entry.first;
    if (name.rfind("act_f32.", 0) != 0) continue;
    INFO(name);
    // The reference's activations are f32, so 1e-5 is what they can show.
    CHECK(relative_l2(seen.at(name.substr(8)), entry.second) <= 1e-5);
    ++activations;
  }
  CHECK(activations == static_cast<int>(seen.size()));

  const Variable loss = cross_entropy(logits, reference.at("label"));
  CHECK(std::abs(loss.item() - reference.at("loss_f64").item()) <= logit_gate);
  loss.backward();
  CHECK(relative_l2(images.grad(), reference.at("grad_f64.input")) <= gradient_gate);
  for (const auto& p : rebuilt.model->named_parameters()) {
    INFO(p.name);
    CHECK(relative_l2(p.parameter->grad(), reference.at("grad_f64." + rebuilt.names[p.name])) <= gradient_gate);
  }
}

TEST_CASE("trained ViTs rebuilt from our layers give the reference's logits, activations, attention maps and gradients") {
  const std::string folder = fixture_folder();
  if (folder.empty()) {
    MESSAGE("skipped: no trained ViTs here. Set VITRAIL_VIT_FIXTURES to their folder.");
    return;
  }
  for (const char* name : {"vit_371", "vit_455_mlp", "vit_mnist_3class", "vit_mnist_3class_attn_only"}) {
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      CAPTURE(std::string(name));
      CAPTURE(std::string(name_of(dtype)));
      compare(folder + "/" + name, dtype);
    }
  }
}

}  // namespace
}  // namespace vitrail::testing
