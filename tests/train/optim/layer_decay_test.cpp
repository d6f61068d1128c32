// Rates by depth, against values counted by hand from timm's param_groups_layer_decay.
#include "train/optim/layer_decay.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "autograd/ops.h"
#include "models/presets.h"
#include "train/config.h"
#include "train/finetune/trained_part.h"

using namespace vitrail;

namespace {

std::unique_ptr<models::Classifier> vit(int64_t depth, const std::string& pool = "token") {
  models::ViTConfig config;
  config.img_size = 8, config.patch_size = 4, config.num_classes = 3;
  config.embed_dim = 8, config.depth = depth, config.num_heads = 2, config.global_pool = pool;
  return models::make_model(models::ModelConfig(config), Rng(1));
}

std::map<std::string, double> scales(const std::vector<ParamGroup>& groups) {
  std::map<std::string, double> result;
  for (const ParamGroup& group : groups)
    for (const auto& entry : group.parameters) {
      CHECK(!result.contains(entry.first));
      result[entry.first] = group.lr_scale;
    }
  return result;
}

}  // namespace

TEST_CASE("layer decay: block i of D has decay^(D - i), the head 1, what comes before the blocks decay^(D + 1)") {
  const auto model = vit(3);
  const auto rate = scales(scaled_by_layer(make_param_groups(*model, 0.05), 0.5, 1));
  CHECK(rate.size() == model->named_parameters().size());
  CHECK(rate.at("patch_embed.proj.weight") == 0.0625);  // 0.5^4
  CHECK(rate.at("pos_embed") == 0.0625);
  CHECK(rate.at("cls_token") == 0.0625);
  CHECK(rate.at("blocks.0.attn.qkv.weight") == 0.125);
  CHECK(rate.at("blocks.0.norm1.bias") == 0.125);
  CHECK(rate.at("blocks.1.mlp.fc1.weight") == 0.25);
  CHECK(rate.at("blocks.2.mlp.fc2.bias") == 0.5);
  CHECK(rate.at("norm.weight") == 0.5);  // with the last block
  CHECK(rate.at("head.weight") == 1);
  CHECK(rate.at("head.bias") == 1);
}

TEST_CASE(
    "layer decay: a norm behind the pooling belongs to the head, blocks above nine count right, and head_lr is of the head "
    "alone") {
  const auto pooled = vit(12, "avg");
  const auto rate = scales(scaled_by_layer(make_param_groups(*pooled, 0.05), 0.75, 10));
  CHECK(rate.at("fc_norm.weight") == 1);
  CHECK(rate.at("head.weight") == 10);
  CHECK(rate.at("blocks.11.norm2.weight") == doctest::Approx(0.75));
  CHECK(rate.at("blocks.2.norm2.weight") == doctest::Approx(std::pow(0.75, 10)));
  CHECK(rate.at("patch_embed.proj.bias") == doctest::Approx(std::pow(0.75, 13)));
}

TEST_CASE("layer decay: the pooling behind the blocks belongs to the head's layer, whatever it is") {
  models::ViTConfig config;
  config.img_size = 8, config.patch_size = 4, config.num_classes = 3;
  config.embed_dim = 8, config.depth = 2, config.num_heads = 2, config.global_pool = "map", config.projection = 6;
  for (const models::ModelConfig& each : {models::ModelConfig(config), models::find_preset("cct_2_3x2").config}) {
    const auto model = models::make_model(each, Rng(1));
    int pooling = 0;
    for (const auto& [path, scale] : scales(scaled_by_layer(make_param_groups(*model, 0.05), 0.5, 10))) {
      const bool its = is_pooling(path), behind = its || is_head(path);
      pooling += its;
      CAPTURE(path);
      CHECK((scale >= 1) == behind);
      CHECK((scale == 10) == is_head(path));
    }
    CHECK(pooling > 0);
    TrainConfig partial;
    partial.trainable = "partial", partial.trainable_blocks = 1;
    choose_trained(*model, partial);
    for (const nn::NamedParameter& entry : model->named_parameters()) {
      CAPTURE(entry.name);
      if (is_pooling(entry.name)) CHECK(entry.parameter->requires_grad());
      if (entry.name.starts_with("blocks.0.")) CHECK(!entry.parameter->requires_grad());
    }
  }
}

TEST_CASE("layer decay: who decays does not change, one group has one rate, and factors of 1 leave the groups as they are") {
  const auto model = vit(2);
  const std::vector<ParamGroup> plain = make_param_groups(*model, 0.05), same = scaled_by_layer(plain, 1, 1),
                                split = scaled_by_layer(plain, 0.5, 1);
  CHECK(same.size() == 2);
  CHECK(split.size() == 8);  // 2 kinds, 4 rates
  std::map<std::string, double> before, after;
  for (const ParamGroup& group : plain)
    for (const auto& entry : group.parameters) before[entry.first] = group.weight_decay;
  for (const ParamGroup& group : split)
    for (const auto& entry : group.parameters) after[entry.first] = group.weight_decay;
  CHECK(before == after);
}

TEST_CASE("layer decay: one step moves each layer by its own rate, with Muon too") {
  for (const char* name : {"sgd", "muon"}) {
    CAPTURE(name);
    const auto model = vit(2);
    TrainConfig config;
    config.optimizer = name, config.nesterov = false, config.momentum = 0, config.weight_decay = 0, config.layer_decay = 0.5;
    const auto optimizer = make_optimizer(config, *model);
    for (const nn::NamedParameter& entry : model->named_parameters())
      entry.parameter->set_grad(full(entry.parameter->shape(), 1));
    const nn::StateDict before = model->state_dict();
    const std::string early = "blocks.0.mlp.fc1.weight", late = "blocks.1.mlp.fc1.weight";
    std::map<std::string, Tensor> kept;
    for (const auto& [key, tensor] : before) kept[key] = clone(tensor);
    optimizer->step(0.01);
    std::map<std::string, double> moved;
    for (const auto& [key, tensor] : model->state_dict()) moved[key] = max(abs(tensor - kept[key])).item();
    CHECK(moved[early] > 0);
    CHECK(moved[early] == doctest::Approx(0.5 * moved[late]).epsilon(1e-3));
  }
}

TEST_CASE("layer decay needs blocks; head_lr does not") {
  const auto mlp = models::make_model("mlp", Rng(1));
  CHECK_THROWS_WITH_AS(scaled_by_layer(make_param_groups(*mlp, 0), 0.75, 1), doctest::Contains("has no blocks"), Error);
  const auto resnet = models::make_model("resnet10_cifar_w16", Rng(1));
  CHECK(scales(scaled_by_layer(make_param_groups(*resnet, 0), 1, 3)).at("fc.weight") == 3);
}

TEST_CASE("freezing all but the head leaves the head's parameters alone") {
  const auto model = vit(2);
  TrainConfig config;
  config.trainable = "head";
  choose_trained(*model, config);
  for (const nn::NamedParameter& entry : model->named_parameters()) {
    CAPTURE(entry.name);
    CHECK(entry.parameter->requires_grad() == (entry.name == "head.weight" || entry.name == "head.bias"));
  }
  model->train();
  CHECK(!model->named_modules()[1].second->training());
  const auto mlp = models::make_model("mlp", Rng(1));
  CHECK_THROWS_WITH_AS(choose_trained(*mlp, config), doctest::Contains("has no head"), Error);
}
