// What no tensor's name tells: which biases, positions, pools and sizes a family means. Models of ours under its names, as its
// own programs would store them, must give the logits that they have here.
#include <doctest/doctest.h>

#include <functional>

#include "autograd/modes.h"
#include "base/file.h"
#include "models/presets.h"
#include "models/vit.h"
#include "models/weights/families/names.h"
#include "models/weights/families/translate.h"
#include "models/weights/foreign.h"
#include "models/weights/position_resampling.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "tensor/view.h"
#include "tests/support/data_test.h"
#include "tests/support/model_test.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// No weight is zero or one, so that none can be left out unseen; but `zero` ones.
std::unique_ptr<models::ViT> noisy(const models::ViTConfig& config, const std::string& zero = "none") {
  Rng rng(3);
  auto model = std::make_unique<models::ViT>(config, rng);
  uint64_t seed = 40;
  for (const nn::NamedParameter& p : model->named_parameters()) {
    const Shape shape = p.parameter->shape();
    p.parameter->set_value(p.name.ends_with(zero) ? zeros(shape) : rand_normal(shape, 0.1, 0.3, Rng(++seed)));
  }
  model->eval();
  return model;
}

Tensor answer(models::Classifier& model) {
  const NoGradGuard no_grad;
  auto& vit = dynamic_cast<models::ViT&>(model);
  const Tensor x = rand_normal({2, vit.config().in_chans, model.img_height(), model.img_width()}, 0, 1, Rng(4));
  return vit.forward_head(vit.forward_features(Variable(x)), vit.num_classes() == 0).value();
}

OpenOptions told(int64_t heads, int64_t size) {
  OpenOptions options;
  options.num_heads = heads, options.img_height = options.img_width = size;
  return options;
}

// vit-pytorch 1.26, simple_vit.py: a projection without bias, an MLP with, patches as rows (p1 p2 c).
nn::StateDict simple_vit(models::ViT& model) {
  nn::StateDict theirs;
  for (const auto& [name, value] : model.state_dict()) {
    const size_t dot = name.rfind('.');
    const std::string end = name.substr(dot + 1), layer = name.substr(0, dot);
    const auto put = [&, &v = value](const std::string& to, const Tensor& changed = {}) {
      theirs.emplace_back(to + "." + end, changed.defined() ? changed : v);
    };
    if (layer == "patch_embed.norm_in")
      put("to_patch_embedding.1", reshape(contiguous(permute(reshape(value, {3, 4, 4}), {1, 2, 0})), {48}));
    else if (layer == "patch_embed.proj")
      put("to_patch_embedding.2", end == "bias" ? value : reshape(contiguous(permute(value, {0, 2, 3, 1})), {16, 48}));
    else if (layer == "patch_embed.norm_out")
      put("to_patch_embedding.3");
    else if (layer == "norm")
      put("transformer.norm");
    else if (layer == "head")
      put("linear_head");
    if (!name.starts_with("blocks.")) continue;
    const std::string block = cat("transformer.layers.", name[7], "."), part = layer.substr(9);
    if (part == "norm1") put(block + "0.norm");
    if (part == "attn.qkv") put(block + "0.to_qkv");
    if (part == "attn.proj" && end == "weight") put(block + "0.to_out");
    if (part == "norm2") put(block + "1.net.0");
    if (part == "mlp.fc1") put(block + "1.net.1");
    if (part == "mlp.fc2") put(block + "1.net.3");
  }
  return theirs;
}

// big_vision, models/vit.py: [in, heads, width] where ours is [out, in], q, k and v apart.
nn::StateDict big_vision(models::ViT& model) {
  nn::StateDict theirs;
  const auto swapped = [](const Tensor& w) { return contiguous(transpose(w)); };
  for (const auto& [name, value] : model.state_dict()) {
    const bool bias = name.ends_with("bias");
    const std::string end = bias ? "bias" : "kernel", layer = name.substr(0, name.rfind('.'));
    const std::string norm = bias ? "bias" : "scale";
    if (name == "cls_token") theirs.emplace_back("cls", value);
    if (layer == "patch_embed.proj")
      theirs.emplace_back("embedding/" + end, bias ? value : contiguous(permute(value, {2, 3, 1, 0})));
    if (layer == "norm") theirs.emplace_back("Transformer/encoder_norm/" + norm, value);
    if (layer == "head") theirs.emplace_back("head/" + end, bias ? value : swapped(value));
    if (!name.starts_with("blocks.")) continue;
    const std::string block = cat("Transformer/encoderblock_", name[7], "/"), part = layer.substr(9);
    const std::string attention = block + "MultiHeadDotProductAttention_0/";
    if (part == "norm1") theirs.emplace_back(block + "LayerNorm_0/" + norm, value);
    if (part == "norm2") theirs.emplace_back(block + "LayerNorm_1/" + norm, value);
    if (part == "mlp.fc1") theirs.emplace_back(block + "MlpBlock_0/Dense_0/" + end, bias ? value : swapped(value));
    if (part == "mlp.fc2") theirs.emplace_back(block + "MlpBlock_0/Dense_1/" + end, bias ? value : swapped(value));
    if (part == "attn.proj") theirs.emplace_back(attention + "out/" + end, bias ? value : reshape(swapped(value), {2, 8, 16}));
    if (part != "attn.qkv") continue;
    const std::vector<Tensor> three = chunk(value, 3, 0);
    for (size_t i = 0; i < 3; ++i)
      theirs.emplace_back(cat(attention,
                              i == 0   ? "query/"
                              : i == 1 ? "key/"
                                       : "value/",
                              end),
                          bias ? reshape(contiguous(three[i]), {2, 8}) : reshape(swapped(three[i]), {16, 2, 8}));
  }
  return theirs;
}

models::ViTConfig small() {
  models::ViTConfig c = tiny_config();
  c.num_classes = 3, c.norm_eps = 1e-6;
  return c;
}

// The same layers in other memory: other sums of the same numbers may round otherwise.
void check_near(const Tensor& a, const Tensor& b) {
  CHECK(largest_difference(a, b) <= 1e-5 * std::max(1.0, max(abs(b)).item()));
}

std::string saved(const ScratchFolder& folder, const nn::StateDict& weights, const std::string& name = "model.safetensors") {
  save_safetensors(folder.path() + "/" + name, {weights, {}});
  return folder.path();
}

}  // namespace

TEST_CASE("SimpleViT: its MLPs keep their biases where its attention has none, and its positions are computed") {
  models::ViTConfig c = small();
  c.class_token = false, c.global_pool = "avg", c.fc_norm = false, c.pos_embed = "sincos2d", c.patch_norms = true;
  c.qkv_bias = false, c.norm_eps = 1e-5;
  const auto model = noisy(c, "attn.proj.bias");
  const ScratchFolder folder;
  const LoadedModel loaded = load_model(saved(folder, simple_vit(*model)), told(2, 8));
  CHECK(loaded.origin->family == "lucidrains");
  CHECK(loaded.origin->unexpected.empty());
  check_near(answer(*loaded.model), answer(*model));
  // A file in which one projection alone has lost its bias is not such a model.
  nn::StateDict damaged = noisy(small())->state_dict();
  std::erase_if(damaged, [](const auto& entry) { return entry.first == "blocks.0.attn.proj.bias"; });
  const ScratchFolder other;
  CHECK_THROWS_AS(load_model(saved(other, damaged), told(2, 0)), Error);
}

TEST_CASE("big_vision's sincos2d is in no file: positions are computed, and the class token has none") {
  for (const bool token : {false, true}) {
    CAPTURE(token);
    models::ViTConfig c = small();
    c.class_token = token, c.no_embed_class = true, c.pos_embed = "sincos2d", c.act_layer = "gelu_tanh";
    c.global_pool = token ? "token" : "avg", c.fc_norm = false;
    const auto model = noisy(c);
    const ScratchFolder folder;
    const LoadedModel loaded = load_model(saved(folder, big_vision(*model)), told(0, 8));
    CHECK(loaded.origin->family == "flax");
    CHECK(loaded.origin->unexpected.empty());
    check_near(answer(*loaded.model), answer(*model));
  }
}

TEST_CASE("a file without positions is refused, unless its configuration says that there are none") {
  models::ViTConfig c = small();
  c.pos_embed = "none";
  const auto model = noisy(c);
  const ScratchFolder folder;
  saved(folder, model->state_dict());
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { load_model(folder.path(), told(2, 8)); }), "there is no position embedding");
  for (const char* none : {"none", ""}) {  // timm knows both
    write_file_atomically(folder.path() + "/config.json", cat(R"({"architecture": "vit_tiny_patch16_224", "model_args": )",
                                                              R"({"num_heads": 2, "pos_embed": ")", none, "\"}}"));
    check_near(answer(*load_model(folder.path(), told(0, 8)).model), answer(*model));
  }
}

TEST_CASE("timm's architectures of other arithmetic are refused by name, though tensors have the names of a ViT's") {
  const auto model = noisy(small());
  const ScratchFolder folder;
  saved(folder, model->state_dict());
  const std::string config = folder.path() + "/config.json";
  for (const char* name : {"vit_small_patch16_dinov3", "vit_base_patch16_rope_224", "vit_base_patch16_rope_reg1_gap_256",
                           "vit_pe_core_base_patch16_224", "vit_relpos_base_patch16_224", "vit_base_patch16_rpn_224",
                           "vit_dlittle_patch16_reg1_gap_256", "swin_tiny_patch4_window7_224"}) {
    CAPTURE(name);
    write_file_atomically(config, cat("{\"architecture\": \"", name, "\", \"model_args\": {\"num_heads\": 2}}"));
    CHECK_SAYS(refusal(ErrorKind::kData, [&] { load_model(folder.path()); }), name);
  }
  write_file_atomically(config, R"({"architecture": "vit_little_patch16_reg4_gap_256", "model_args": {"num_heads": 2}})");
  check_near(answer(*load_model(folder.path()).model), answer(*model));
}

TEST_CASE("open_clip: the pool and the place of the last norm are what the configuration says") {
  for (const bool behind : {false, true}) {
    CAPTURE(behind);
    models::ViTConfig c = small();
    c.num_classes = 0, c.projection = 6, c.pre_norm = true, c.global_pool = "avg", c.fc_norm = behind, c.norm_eps = 1e-5;
    const auto model = noisy(c);
    nn::StateDict theirs;
    for (const auto& [name, value] : model->state_dict()) {
      std::string ours = name;
      if (ours.starts_with("fc_")) ours.erase(0, 3);
      const std::string name_there = weights::their_name(weights::family_names("open_clip"), ours, -1, nullptr);
      REQUIRE_MESSAGE(!name_there.empty(), name);
      Tensor t = value;
      if (ours == "cls_token") t = reshape(t, {16});
      if (ours == "pos_embed") t = reshape(t, {5, 16});
      if (ours == "projection.weight") t = contiguous(transpose(t));
      theirs.emplace_back("visual." + name_there, t);
    }
    const ScratchFolder folder;
    saved(folder, theirs, "open_clip_model.safetensors");
    const auto config = [&](const std::string& more) {
      write_file_atomically(folder.path() + "/open_clip_config.json",
                            R"({"model_cfg": {"embed_dim": 6, "vision_cfg": {"image_size": 8, "patch_size": 4, "width": 16,
                                "layers": 2, "head_width": 8)" +
                                more + "}}}");
    };
    config(cat(R"(, "pool_type": "avg", "final_ln_after_pool": )", behind ? "true" : "false"));
    LoadedModel loaded = load_model(folder.path());
    check_near(answer(*loaded.model), answer(*model));
    config(R"(, "attentional_pool": true)");
    CHECK_SAYS(refusal(ErrorKind::kData, [&] { load_model(folder.path()); }), "attentional_pool");
    config(R"(, "pool_type": "none")");
    CHECK_SAYS(refusal(ErrorKind::kData, [&] { load_model(folder.path()); }), "pool_type");
  }
}

TEST_CASE("open_clip: a trunk of timm is pooled as the configuration says, its mean where it is silent") {
  for (const bool silent : {false, true}) {
    CAPTURE(silent);
    models::ViTConfig c = small();
    c.num_classes = 0, c.global_pool = silent ? "avg" : "token", c.fc_norm = false;
    const auto model = noisy(c);
    nn::StateDict theirs;
    for (const auto& [name, value] : model->state_dict()) theirs.emplace_back("visual.trunk." + name, value);
    const ScratchFolder folder;
    saved(folder, theirs, "open_clip_model.safetensors");
    const auto config = [&](const std::string& more) {
      write_file_atomically(folder.path() + "/open_clip_config.json",
                            R"({"model_cfg": {"embed_dim": 6, "vision_cfg": {"image_size": 8, "timm_proj": "linear",
                                "timm_model_name": "vit_tiny_patch16_224")" +
                                more + "}}}");
    };
    config(silent ? "" : R"(, "timm_pool": "token")");
    check_near(answer(*load_model(folder.path(), told(2, 0)).model), answer(*model));
    if (!silent) {
      config(R"(, "timm_pool": null)");
      check_near(answer(*load_model(folder.path(), told(2, 0)).model), answer(*model));
    }
    config(R"(, "timm_pool": "rot_attn")");
    CHECK_SAYS(refusal(ErrorKind::kData, [&] { load_model(folder.path(), told(2, 0)); }), "timm_pool");
  }
}

TEST_CASE(
    "a DINOv2 whose pictures are smaller than its grid gets its positions resampled, as transformers does; others do not") {
  models::ViTConfig c = small();
  c.num_classes = 0, c.img_size = 16;
  const auto model = noisy(c);
  nn::StateDict theirs;
  const weights::FamilyNames& names = weights::family_names("huggingface");
  for (const auto& [name, value] : model->state_dict()) {
    if (const std::string whole = weights::their_name(names, name, -1, nullptr); !whole.empty()) {
      theirs.emplace_back(whole, value);
      continue;
    }
    const std::vector<Tensor> three = chunk(value, 3, 0);
    for (int i = 0; i < 3; ++i)
      theirs.emplace_back(weights::their_name(names, name, i, nullptr), contiguous(three[static_cast<size_t>(i)]));
  }
  const ScratchFolder folder;
  saved(folder, theirs);
  const auto config = [&](const std::string& type) {
    write_file_atomically(folder.path() + "/config.json",
                          cat("{\"model_type\": \"", type, R"(", "hidden_size": 16, "num_hidden_layers": 2,
                              "num_attention_heads": 2, "image_size": 16, "patch_size": 4, "layer_norm_eps": 1e-6})"));
  };
  write_file_atomically(folder.path() + "/preprocessor_config.json",
                        R"({"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 10},
                            "crop_size": {"height": 8, "width": 8}})");
  config("dinov2");
  const LoadedModel loaded = load_model(folder.path());
  CHECK(loaded.model->img_height() == 8);
  CHECK(loaded.card.preprocessing.height == 8);
  CHECK(loaded.card.preprocessing.resize_height == 10);
  const auto& vit = dynamic_cast<models::ViT&>(*loaded.model);
  const Tensor wanted = resample_positions(model->pos_embed.value(), {4, 4}, {2, 2}, 1, PositionRule::kHfVit);
  CHECK(bit_equal(vit.pos_embed.value(), wanted));
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { load_model(folder.path(), told(0, 16)); }), "preprocessing and model differ");
  config("vit");
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { load_model(folder.path()); }), "preprocessing and model differ");
}

TEST_CASE("open_clip: the head of a trunk without timm_proj makes an embedding, no classes") {
  const auto model = noisy(small());
  nn::StateDict theirs;
  for (const auto& [name, value] : model->state_dict()) theirs.emplace_back("visual.trunk." + name, value);
  const ScratchFolder folder;
  saved(folder, theirs, "open_clip_model.safetensors");
  write_file_atomically(
      folder.path() + "/open_clip_config.json",
      R"({"model_cfg": {"embed_dim": 3, "vision_cfg": {"image_size": 8, "timm_pool": "token", "timm_proj": null,
                            "timm_model_name": "vit_tiny_patch16_224"}}})");
  const LoadedModel loaded = load_model(folder.path(), told(2, 0));
  CHECK(loaded.model->num_classes() == 0);
  CHECK(loaded.origin->unused == std::vector<std::string>{"visual.trunk.head.weight", "visual.trunk.head.bias"});
}

TEST_CASE("a head behind pre_logits is left out, as Google and timm name it; other networks' names do not matter") {
  models::ViTConfig c = small();
  c.no_embed_class = true, c.pos_embed = "sincos2d", c.act_layer = "gelu_tanh";
  const auto google = noisy(c);
  nn::StateDict file = big_vision(*google);
  file.emplace_back("teacher/pre_logits/kernel", ones({16, 16}));
  CHECK_FALSE(weights::translate(file, "file").pre_logits);
  file.emplace_back("pre_logits/kernel", ones({16, 16}));
  const weights::Translation found = weights::translate(file, "file");
  CHECK(found.pre_logits);
  CHECK(found.unexpected.size() == 4);  // both such layers, weight and bias of the head
  nn::StateDict timm = noisy(small())->state_dict();
  timm.emplace_back("pre_logits.fc.weight", ones({16, 16}));
  const ScratchFolder folder;
  const LoadedModel loaded = load_model(saved(folder, timm), told(2, 0));
  CHECK(loaded.model->num_classes() == 0);
  CHECK(loaded.origin->unexpected.size() == 3);
}

TEST_CASE("vit-pytorch before 1.0: no norms around the projection, blocks as functions, the last norm in the head") {
  models::ViTConfig c = small();
  c.qkv_bias = false, c.norm_eps = 1e-5;
  const auto model = noisy(c);
  nn::StateDict theirs;
  const std::pair<const char*, const char*> names[] = {
      {"norm1.", "0.norm."}, {"attn.qkv.", "0.fn.to_qkv."}, {"attn.proj.", "0.fn.to_out.0."},
      {"norm2.", "1.norm."}, {"mlp.fc1.", "1.fn.net.0."},   {"mlp.fc2.", "1.fn.net.3."}};
  for (const auto& [name, value] : model->state_dict()) {
    const std::string end = name.substr(name.rfind('.') + 1);
    if (name == "cls_token") theirs.emplace_back("cls_token", value);
    if (name == "pos_embed") theirs.emplace_back("pos_embedding", value);
    if (name == "patch_embed.proj.weight")
      theirs.emplace_back("to_patch_embedding.1.weight", reshape(contiguous(permute(value, {0, 2, 3, 1})), {16, 48}));
    if (name == "patch_embed.proj.bias") theirs.emplace_back("to_patch_embedding.1.bias", value);
    if (name.starts_with("norm.")) theirs.emplace_back("mlp_head.0." + end, value);
    if (name.starts_with("head.")) theirs.emplace_back("mlp_head.1." + end, value);
    if (!name.starts_with("blocks.")) continue;
    for (const auto& [ours, there] : names)
      if (name.substr(9).starts_with(ours)) theirs.emplace_back(cat("transformer.layers.", name[7], ".", there, end), value);
  }
  theirs.emplace_back("register_tokens", zeros({0, 16}));  // none
  const ScratchFolder folder;
  const LoadedModel loaded = load_model(saved(folder, theirs), told(2, 0));
  CHECK(loaded.origin->unexpected.empty());
  check_near(answer(*loaded.model), answer(*model));
}

TEST_CASE("every name of a block is one that takes part in the computing") {
  for (const weights::FamilyNames& family : weights::all_family_names())
    for (const weights::NameRow& row : family.rows) {
      CAPTURE(row.theirs);
      if (row.ours.starts_with("blocks.") || row.ours.starts_with("patch_embed."))
        CHECK(weights::is_computed(family, row.theirs));
    }
}
