// The fields of every configuration, listed once: reading, writing and checking keys all walk this list.
#pragma once

#include "models/config.h"

namespace vitrail::models {

template <class Visitor>
void visit_fields(ViTConfig& c, Visitor& v) {
  v("img_size", c.img_size), v("patch_size", c.patch_size), v("in_chans", c.in_chans), v("num_classes", c.num_classes);
  v("global_pool", c.global_pool), v("embed_dim", c.embed_dim), v("depth", c.depth), v("num_heads", c.num_heads);
  v("mlp_ratio", c.mlp_ratio), v("qkv_bias", c.qkv_bias), v("qk_norm", c.qk_norm), v("proj_bias", c.proj_bias);
  v("init_values", c.init_values), v("class_token", c.class_token), v("pos_embed", c.pos_embed);
  v("no_embed_class", c.no_embed_class), v("reg_tokens", c.reg_tokens), v("pre_norm", c.pre_norm);
  v("final_norm", c.final_norm), v("fc_norm", c.fc_norm), v("post_norm", c.post_norm);
  v("dynamic_img_size", c.dynamic_img_size), v("drop_rate", c.drop_rate), v("pos_drop_rate", c.pos_drop_rate);
  v("patch_drop_rate", c.patch_drop_rate), v("proj_drop_rate", c.proj_drop_rate), v("attn_drop_rate", c.attn_drop_rate);
  v("drop_path_rate", c.drop_path_rate), v("act_layer", c.act_layer), v("norm_eps", c.norm_eps);
  v("weight_init", c.weight_init), v("fix_init", c.fix_init), v("pool_include_prefix", c.pool_include_prefix);
}

template <class Visitor>
void visit_fields(CctConfig& c, Visitor& v) {
  v("img_size", c.img_size), v("in_chans", c.in_chans), v("num_classes", c.num_classes), v("embed_dim", c.embed_dim);
  v("depth", c.depth), v("num_heads", c.num_heads), v("mlp_ratio", c.mlp_ratio), v("conv_layers", c.conv_layers);
  v("conv_kernel", c.conv_kernel), v("conv_width", c.conv_width), v("pos_embed", c.pos_embed), v("qkv_bias", c.qkv_bias);
  v("drop_rate", c.drop_rate), v("attn_drop_rate", c.attn_drop_rate), v("drop_path_rate", c.drop_path_rate);
  v("norm_eps", c.norm_eps);
}

template <class Visitor>
void visit_fields(CnnConfig& c, Visitor& v) {
  v("img_size", c.img_size), v("in_chans", c.in_chans), v("num_classes", c.num_classes), v("widths", c.widths);
  v("convs_per_stage", c.convs_per_stage), v("drop_rate", c.drop_rate);
}

template <class Visitor>
void visit_fields(MlpConfig& c, Visitor& v) {
  v("img_size", c.img_size), v("in_chans", c.in_chans), v("num_classes", c.num_classes), v("hidden", c.hidden);
  v("act_layer", c.act_layer), v("drop_rate", c.drop_rate);
}

template <class Visitor>
void visit_fields(ResNetConfig& c, Visitor& v) {
  v("img_size", c.img_size), v("in_chans", c.in_chans), v("num_classes", c.num_classes), v("widths", c.widths);
  v("blocks_per_stage", c.blocks_per_stage);
}

inline const char* architecture_of(const ModelConfig& config) {
  constexpr const char* kNames[] = {"vit", "cct", "cnn", "mlp", "resnet"};
  return kNames[config.index()];
}

}  // namespace vitrail::models
