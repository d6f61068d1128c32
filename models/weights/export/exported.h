// What a model becomes for another library, before a file is written.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/vit.h"
#include "models/weights/save.h"
#include "tensor/safetensors.h"

namespace vitrail::weights {

struct Exported {
  std::string what;                                          // "timm's vit_tiny_patch16_224"
  SafetensorsFile weights;                                   // under the library's names
  std::vector<std::pair<std::string, std::string>> texts{};  // files beside them: name, content
  std::vector<std::string> notes{};                          // what the library does otherwise, or cannot be told
};

// What the user chooses.
struct ExportOptions {
  int64_t opset = 17;        // of --to onnx
  bool nearest_eps = false;  // where the library has other layer-norm epsilons: the nearest, with a note, instead of an error
};

// The library's limits, held against a model. finish() is Error(kValue) naming everything that it does not have.
class Limits {
 public:
  explicit Limits(std::string library) : library_(std::move(library)) {}
  template <class... Parts>
  void need(bool rule, const Parts&... lacking) {
    if (!rule) lacking_.push_back(cat(lacking...));
  }
  void finish() const;

 private:
  const std::string library_;
  std::vector<std::string> lacking_;
};

// timm 1.0.31's VisionTransformer (or VisionTransformerDistilled): timm's names are ours.
Exported to_timm(const models::ViT& model, const nn::StateDict& state, const ModelCard& card, const ExportOptions& options);
// transformers 5.24: ViT, DeiT, DINOv2 (with and without registers) or CLIP's image tower, whichever the model is; names as on
// the hub.
Exported to_hugging_face(const models::ViT& model, const nn::StateDict& state, const ModelCard& card);
// torchvision 0.28's VisionTransformer. The arguments of its constructor are the metadata's "vision_transformer", as JSON.
Exported to_torchvision(const models::ViT& model, const nn::StateDict& state, const ModelCard& card);

// "resnet", of the model's configuration.
std::string architecture_of(const models::Classifier& model);

}  // namespace vitrail::weights
