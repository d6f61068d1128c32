// The tables. Sources: timm 1.0.31, transformers 5.24 (hub names, its own names since version 5, CLIP), torchvision 0.28,
// Google's vision_transformer and big_vision, open_clip 3.3, vit-pytorch 1.26.
#include "models/weights/families/names.h"

namespace vitrail::weights {

namespace {

using enum Change;

FamilyNames timm() {
  return {"timm",
          "patch_embed.proj.weight",
          {{"blocks.{}.gamma_1", "blocks.{}.ls1.gamma"},  // DeiT-III's own files
           {"blocks.{}.gamma_2", "blocks.{}.ls2.gamma"},
           {"register_tokens", "reg_token"},  // DINOv2's own files
           {"head.proj.weight", "projection.weight", NameRow::kBeside}},
          {"mask_token", "decoder_", "head.mlp.", "head.last_layer.", "prototypes.", "pos_embed.freqs"},
          {"blocks.", "patch_embed.", "attn_pool."}};
}

FamilyNames hugging_face() {
  return {"huggingface",
          "embeddings.patch_embeddings.projection.weight",
          {{"embeddings.cls_token", "cls_token"},
           {"embeddings.distillation_token", "dist_token"},
           {"embeddings.register_tokens", "reg_token"},
           {"embeddings.position_embeddings", "pos_embed"},
           {"embeddings.patch_embeddings.projection.*", "patch_embed.proj.*"},
           {"encoder.layer.{}.layernorm_before.*", "blocks.{}.norm1.*"},
           {"encoder.layer.{}.attention.attention.query.*", "blocks.{}.attn.qkv.*", 0, 3},
           {"encoder.layer.{}.attention.attention.key.*", "blocks.{}.attn.qkv.*", 1, 3},
           {"encoder.layer.{}.attention.attention.value.*", "blocks.{}.attn.qkv.*", 2, 3},
           {"encoder.layer.{}.attention.output.dense.*", "blocks.{}.attn.proj.*"},
           {"encoder.layer.{}.layernorm_after.*", "blocks.{}.norm2.*"},
           {"encoder.layer.{}.intermediate.dense.*", "blocks.{}.mlp.fc1.*"},
           {"encoder.layer.{}.output.dense.*", "blocks.{}.mlp.fc2.*"},
           {"encoder.layer.{}.norm1.*", "blocks.{}.norm1.*"},  // DINOv2
           {"encoder.layer.{}.norm2.*", "blocks.{}.norm2.*"},
           {"encoder.layer.{}.mlp.fc1.*", "blocks.{}.mlp.fc1.*"},
           {"encoder.layer.{}.mlp.fc2.*", "blocks.{}.mlp.fc2.*"},
           {"encoder.layer.{}.layer_scale1.lambda1", "blocks.{}.ls1.gamma"},
           {"encoder.layer.{}.layer_scale2.lambda1", "blocks.{}.ls2.gamma"},
           {"layers.{}.layernorm_before.*", "blocks.{}.norm1.*"},  // version 5's own names
           {"layers.{}.layernorm_after.*", "blocks.{}.norm2.*"},
           {"layers.{}.norm1.*", "blocks.{}.norm1.*"},
           {"layers.{}.norm2.*", "blocks.{}.norm2.*"},
           {"layers.{}.attention.q_proj.*", "blocks.{}.attn.qkv.*", 0, 3},
           {"layers.{}.attention.k_proj.*", "blocks.{}.attn.qkv.*", 1, 3},
           {"layers.{}.attention.v_proj.*", "blocks.{}.attn.qkv.*", 2, 3},
           {"layers.{}.attention.o_proj.*", "blocks.{}.attn.proj.*"},
           {"layers.{}.mlp.fc1.*", "blocks.{}.mlp.fc1.*"},
           {"layers.{}.mlp.fc2.*", "blocks.{}.mlp.fc2.*"},
           {"layers.{}.layer_scale1.lambda1", "blocks.{}.ls1.gamma"},
           {"layers.{}.layer_scale2.lambda1", "blocks.{}.ls2.gamma"},
           {"layernorm.*", "norm.*"},
           {"classifier.*", "head.*", NameRow::kBeside},
           {"cls_classifier.*", "head.*", NameRow::kBeside},  // DeiT with its teacher
           {"distillation_classifier.*", "head_dist.*", NameRow::kBeside}},
          {"pooler.", "embeddings.mask_token", "decoder."},
          {"encoder.layer.", "layers.", "embeddings.patch_embeddings."}};
}

FamilyNames hugging_face_clip() {
  return {"huggingface-clip",
          "embeddings.patch_embedding.weight",
          {{"embeddings.class_embedding", "cls_token", kTokens},
           {"embeddings.patch_embedding.*", "patch_embed.proj.*"},
           {"embeddings.position_embedding.weight", "pos_embed", kTokens},
           {"pre_layrnorm.*", "norm_pre.*"},
           {"encoder.layers.{}.layer_norm1.*", "blocks.{}.norm1.*"},
           {"encoder.layers.{}.self_attn.q_proj.*", "blocks.{}.attn.qkv.*", 0, 3},
           {"encoder.layers.{}.self_attn.k_proj.*", "blocks.{}.attn.qkv.*", 1, 3},
           {"encoder.layers.{}.self_attn.v_proj.*", "blocks.{}.attn.qkv.*", 2, 3},
           {"encoder.layers.{}.self_attn.out_proj.*", "blocks.{}.attn.proj.*"},
           {"encoder.layers.{}.layer_norm2.*", "blocks.{}.norm2.*"},
           {"encoder.layers.{}.mlp.fc1.*", "blocks.{}.mlp.fc1.*"},
           {"encoder.layers.{}.mlp.fc2.*", "blocks.{}.mlp.fc2.*"},
           {"layers.{}.layer_norm1.*", "blocks.{}.norm1.*"},  // version 5's own names
           {"layers.{}.self_attn.q_proj.*", "blocks.{}.attn.qkv.*", 0, 3},
           {"layers.{}.self_attn.k_proj.*", "blocks.{}.attn.qkv.*", 1, 3},
           {"layers.{}.self_attn.v_proj.*", "blocks.{}.attn.qkv.*", 2, 3},
           {"layers.{}.self_attn.out_proj.*", "blocks.{}.attn.proj.*"},
           {"layers.{}.layer_norm2.*", "blocks.{}.norm2.*"},
           {"layers.{}.mlp.fc1.*", "blocks.{}.mlp.fc1.*"},
           {"layers.{}.mlp.fc2.*", "blocks.{}.mlp.fc2.*"},
           {"post_layernorm.*", "norm.*"},
           {"visual_projection.weight", "projection.weight", NameRow::kBeside},
           {"classifier.*", "head.*", NameRow::kBeside}},
          {"text_model.", "text_projection.", "logit_scale", "embeddings.position_ids"},
          {"encoder.layers.", "layers.", "embeddings.patch_embedding.", "head."}};
}

FamilyNames torchvision() {
  return {"torchvision",
          "conv_proj.weight",
          {{"class_token", "cls_token"},
           {"conv_proj.*", "patch_embed.proj.*"},
           {"encoder.pos_embedding", "pos_embed"},
           {"encoder.layers.encoder_layer_{}.ln_1.*", "blocks.{}.norm1.*"},
           {"encoder.layers.encoder_layer_{}.self_attention.in_proj_weight", "blocks.{}.attn.qkv.weight"},
           {"encoder.layers.encoder_layer_{}.self_attention.in_proj_bias", "blocks.{}.attn.qkv.bias"},
           {"encoder.layers.encoder_layer_{}.self_attention.out_proj.*", "blocks.{}.attn.proj.*"},
           {"encoder.layers.encoder_layer_{}.ln_2.*", "blocks.{}.norm2.*"},
           {"encoder.layers.encoder_layer_{}.mlp.0.*", "blocks.{}.mlp.fc1.*"},
           {"encoder.layers.encoder_layer_{}.mlp.3.*", "blocks.{}.mlp.fc2.*"},
           {"encoder.layers.encoder_layer_{}.mlp.linear_1.*", "blocks.{}.mlp.fc1.*"},  // before version 0.13
           {"encoder.layers.encoder_layer_{}.mlp.linear_2.*", "blocks.{}.mlp.fc2.*"},
           {"encoder.ln.*", "norm.*"},
           {"heads.head.*", "head.*"}},
          {},
          {"encoder.layers.", "conv_proj."}};
}

FamilyNames open_clip() {
  return {"open_clip",
          "conv1.weight",
          {{"class_embedding", "cls_token", kTokens},
           {"positional_embedding", "pos_embed", kTokens},
           {"conv1.*", "patch_embed.proj.*"},
           {"ln_pre.*", "norm_pre.*"},
           {"transformer.resblocks.{}.ln_1.*", "blocks.{}.norm1.*"},
           {"transformer.resblocks.{}.attn.in_proj_weight", "blocks.{}.attn.qkv.weight"},
           {"transformer.resblocks.{}.attn.in_proj_bias", "blocks.{}.attn.qkv.bias"},
           {"transformer.resblocks.{}.attn.out_proj.*", "blocks.{}.attn.proj.*"},
           {"transformer.resblocks.{}.ls_1.gamma", "blocks.{}.ls1.gamma"},
           {"transformer.resblocks.{}.ln_2.*", "blocks.{}.norm2.*"},
           {"transformer.resblocks.{}.mlp.c_fc.*", "blocks.{}.mlp.fc1.*"},
           {"transformer.resblocks.{}.mlp.c_proj.*", "blocks.{}.mlp.fc2.*"},
           {"transformer.resblocks.{}.ls_2.gamma", "blocks.{}.ls2.gamma"},
           {"ln_post.*", "norm.*"},
           {"proj", "projection.weight", kTranspose}},
          {"transformer.resblocks.", "token_embedding.", "positional_embedding", "ln_final.", "text_projection", "logit_scale",
           "logit_bias", "text.", "input_resolution", "context_length", "vocab_size"},
          {"transformer.resblocks.", "conv1."}};
}

// Google's vision_transformer numbers the parts of a block _1, _3, _2 where big_vision has _0, _0, _1. A block of big_vision's
// scanned files is taken apart before.
FamilyNames flax() {
  std::vector<NameRow> rows{{"cls", "cls_token"},
                            {"embedding/kernel", "patch_embed.proj.weight", kFlaxPatch},
                            {"embedding/bias", "patch_embed.proj.bias"},
                            {"Transformer/posembed_input/pos_embedding", "pos_embed"},
                            {"pos_embedding", "pos_embed"},
                            {"Transformer/encoderblock_{}/LayerNorm_0/{s}", "blocks.{}.norm1.*"}};
  for (const char* attention : {"MultiHeadDotProductAttention_1", "MultiHeadDotProductAttention_0"}) {
    const std::string block = std::string("Transformer/encoderblock_{}/") + attention;
    int part = 0;
    for (const char* of : {"/query", "/key", "/value"}) {
      rows.push_back({block + of + "/kernel", "blocks.{}.attn.qkv.weight", part, 3, kFlaxIn});
      rows.push_back({block + of + "/bias", "blocks.{}.attn.qkv.bias", part, 3, kFlaxInBias});
      ++part;
    }
    rows.push_back({block + "/out/kernel", "blocks.{}.attn.proj.weight", kFlaxOut});
    rows.push_back({block + "/out/bias", "blocks.{}.attn.proj.bias"});
  }
  const std::vector<NameRow> rest{
      {"Transformer/encoderblock_{}/LayerNorm_2/{s}", "blocks.{}.norm2.*"},
      {"Transformer/encoderblock_{}/LayerNorm_1/{s}", "blocks.{}.norm2.*"},
      {"Transformer/encoderblock_{}/MlpBlock_3/Dense_0/kernel", "blocks.{}.mlp.fc1.weight", kTranspose},
      {"Transformer/encoderblock_{}/MlpBlock_3/Dense_0/bias", "blocks.{}.mlp.fc1.bias"},
      {"Transformer/encoderblock_{}/MlpBlock_3/Dense_1/kernel", "blocks.{}.mlp.fc2.weight", kTranspose},
      {"Transformer/encoderblock_{}/MlpBlock_3/Dense_1/bias", "blocks.{}.mlp.fc2.bias"},
      {"Transformer/encoderblock_{}/MlpBlock_0/Dense_0/kernel", "blocks.{}.mlp.fc1.weight", kTranspose},
      {"Transformer/encoderblock_{}/MlpBlock_0/Dense_0/bias", "blocks.{}.mlp.fc1.bias"},
      {"Transformer/encoderblock_{}/MlpBlock_0/Dense_1/kernel", "blocks.{}.mlp.fc2.weight", kTranspose},
      {"Transformer/encoderblock_{}/MlpBlock_0/Dense_1/bias", "blocks.{}.mlp.fc2.bias"},
      {"Transformer/encoder_norm/{s}", "norm.*"},
      {"MAPHead_0/probe", "attn_pool.latent"},
      {"MAPHead_0/MultiHeadDotProductAttention_0/query/kernel", "attn_pool.q.weight", kFlaxIn},
      {"MAPHead_0/MultiHeadDotProductAttention_0/query/bias", "attn_pool.q.bias", kFlaxInBias},
      {"MAPHead_0/MultiHeadDotProductAttention_0/key/kernel", "attn_pool.kv.weight", 0, 2, kFlaxIn},
      {"MAPHead_0/MultiHeadDotProductAttention_0/key/bias", "attn_pool.kv.bias", 0, 2, kFlaxInBias},
      {"MAPHead_0/MultiHeadDotProductAttention_0/value/kernel", "attn_pool.kv.weight", 1, 2, kFlaxIn},
      {"MAPHead_0/MultiHeadDotProductAttention_0/value/bias", "attn_pool.kv.bias", 1, 2, kFlaxInBias},
      {"MAPHead_0/MultiHeadDotProductAttention_0/out/kernel", "attn_pool.proj.weight", kFlaxOut},
      {"MAPHead_0/MultiHeadDotProductAttention_0/out/bias", "attn_pool.proj.bias"},
      {"MAPHead_0/LayerNorm_0/{s}", "attn_pool.norm.*"},
      {"MAPHead_0/MlpBlock_0/Dense_0/kernel", "attn_pool.mlp.fc1.weight", kTranspose},
      {"MAPHead_0/MlpBlock_0/Dense_0/bias", "attn_pool.mlp.fc1.bias"},
      {"MAPHead_0/MlpBlock_0/Dense_1/kernel", "attn_pool.mlp.fc2.weight", kTranspose},
      {"MAPHead_0/MlpBlock_0/Dense_1/bias", "attn_pool.mlp.fc2.bias"},
      {"head/kernel", "head.weight", kTranspose},
      {"head/bias", "head.bias"}};
  rows.insert(rows.end(), rest.begin(), rest.end());
  return {
      "flax", "embedding/kernel", rows, {"opt/state/", "txt/", "t", "b", "step"}, {"Transformer/encoderblock_", "embedding/"}};
}

// vit-pytorch changed patch embedding, blocks and head in different versions: any may stand beside any.
std::vector<NameRow> lucidrains_rows(std::vector<NameRow> rows) {
  const std::vector<NameRow> others{{"cls_token", "cls_token", kTokens},
                                    {"register_tokens", "reg_token", kTokens},
                                    {"pos_embedding", "pos_embed", kTokens},
                                    {"transformer.layers.{}.0.norm.*", "blocks.{}.norm1.*"},
                                    {"transformer.layers.{}.0.to_qkv.weight", "blocks.{}.attn.qkv.weight"},
                                    {"transformer.layers.{}.0.to_out.0.*", "blocks.{}.attn.proj.*"},
                                    {"transformer.layers.{}.1.net.0.*", "blocks.{}.norm2.*"},
                                    {"transformer.layers.{}.1.net.1.*", "blocks.{}.mlp.fc1.*"},
                                    {"transformer.layers.{}.1.net.4.*", "blocks.{}.mlp.fc2.*"},
                                    {"transformer.norm.*", "norm.*"},
                                    {"mlp_head.*", "head.*"},
                                    {"transformer.layers.{}.0.to_out.*", "blocks.{}.attn.proj.*"},  // SimpleViT
                                    {"transformer.layers.{}.1.net.3.*", "blocks.{}.mlp.fc2.*"},
                                    {"linear_head.*", "head.*"},
                                    {"linear_head.0.*", "fc_norm.*"},
                                    {"linear_head.1.*", "head.*"},
                                    // Before version 1.3: blocks as functions behind their norms, the last norm in the head.
                                    {"transformer.layers.{}.0.fn.to_qkv.weight", "blocks.{}.attn.qkv.weight"},
                                    {"transformer.layers.{}.0.fn.to_out.0.*", "blocks.{}.attn.proj.*"},
                                    {"transformer.layers.{}.1.norm.*", "blocks.{}.norm2.*"},
                                    {"transformer.layers.{}.1.fn.net.0.*", "blocks.{}.mlp.fc1.*"},
                                    {"transformer.layers.{}.1.fn.net.3.*", "blocks.{}.mlp.fc2.*"},
                                    {"mlp_head.0.*", "norm.*"},
                                    {"mlp_head.1.*", "head.*"}};
  rows.insert(rows.end(), others.begin(), others.end());
  return rows;
}

FamilyNames lucidrains() {
  return {"lucidrains",
          "to_patch_embedding.2.weight",
          lucidrains_rows({{"to_patch_embedding.1.*", "patch_embed.norm_in.*", kPatchVector},
                           {"to_patch_embedding.2.weight", "patch_embed.proj.weight", kPatchMatrix},
                           {"to_patch_embedding.2.bias", "patch_embed.proj.bias"},
                           {"to_patch_embedding.3.*", "patch_embed.norm_out.*"}}),
          {},
          {"transformer.", "to_"}};
}

// No norms around the patch projection: before vit-pytorch 1.0, and in some of its models today.
FamilyNames old_lucidrains() {
  return {"lucidrains",
          "to_patch_embedding.1.weight",
          lucidrains_rows({{"to_patch_embedding.1.weight", "patch_embed.proj.weight", kPatchMatrix},
                           {"to_patch_embedding.1.bias", "patch_embed.proj.bias"}}),
          {},
          {"transformer.", "to_"}};
}

}  // namespace

const std::vector<FamilyNames>& all_family_names() {
  static const std::vector<FamilyNames> all{hugging_face(), hugging_face_clip(), torchvision(),    open_clip(),
                                            flax(),         lucidrains(),        old_lucidrains(), timm()};
  return all;
}

}  // namespace vitrail::weights
