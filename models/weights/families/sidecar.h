// The files beside the weights: config.json of timm and of Hugging Face, preprocessor_config.json, open_clip_config.json.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/preprocessing.h"
#include "models/config.h"

namespace vitrail::weights {

// What they say about the model; empty where they are silent.
struct Sidecar {
  std::string file;          // path of the configuration; "" if there is none
  std::string kind;          // "timm", "huggingface", "open_clip"
  std::string architecture;  // "vit_tiny_patch16_224", "vit" (Hugging Face's model_type)
  std::optional<models::Size2d> img_size, patch_size;
  std::optional<int64_t> in_chans, embed_dim, depth, num_heads, mlp_hidden, projection;
  std::optional<double> norm_eps;
  std::optional<std::string> act_layer, global_pool;
  bool pool_include_prefix = false;
  bool no_positions = false;      // said outright: timm's pos_embed "none"
  bool norm_behind_pool = false;  // open_clip's final_ln_after_pool
  bool head_embeds = false;       // the head makes an embedding, no classes: a trunk of open_clip without timm_proj
  std::vector<std::string> class_names;
  bool multi_label = false;  // problem_type multi_label_classification
  std::optional<Preprocessing> preprocessing;
  std::string preprocessing_file;
};

// Reads those that lie in `folder`. Error(kData) naming file and key for broken ones, and for architectures that are not such a
// ViT (Swin, BEiT, ...), by name.
Sidecar read_sidecar(const std::string& folder);

// The parts of it, by file.
void read_hugging_face_config(const std::string& path, Sidecar& sidecar);
void read_timm_config(const std::string& path, Sidecar& sidecar);
void read_open_clip_config(const std::string& path, Sidecar& sidecar);
// What timm's function of this name gives to its model. Error(kData) naming `path` for models of other arithmetic.
void follow_timm_name(const std::string& name, const std::string& path, Sidecar& sidecar);
// preprocessor_config.json, or processor_config.json, in which it is nested. `image` is the model's input size where the file
// leaves it open; `model_type` decides defaults if the file does not name its class.
Preprocessing read_preprocessor(const std::string& path, const std::string& model_type, models::Size2d image);

// "gelu", "gelu_new", ... as ours; Error(kData) for one that the model does not have.
std::string activation_of(const std::string& theirs, const std::string& file);

}  // namespace vitrail::weights
