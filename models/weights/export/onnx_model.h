// A classifier as an ONNX graph, for inference: input "pixel_values" [batch, C, H, W], normalised as the model's preprocessing
// says; outputs "logits" [batch, classes] unless the model has no head, "features" [batch, D], which the head multiplies, and
// "embedding" where the model has a projection (CLIP). metadata_props holds "model" (the configuration), "preprocessing" and
// "class_names" as JSON.
#pragma once

#include "models/classifier.h"
#include "models/vit.h"
#include "models/weights/export/onnx_layers.h"
#include "models/weights/save.h"

namespace vitrail::models {
class Cct;
}

namespace vitrail::weights {

// Error(kValue) for a model that is neither a ViT nor a CCT, and for an opset outside [kOldestOpset, kNewestOpset].
OnnxGraph onnx_model(models::Classifier& model, const ModelCard& card, int64_t opset);

// The bodies: nodes from "pixel_values" to outputs.
void add_vit(OnnxLayers& layers, const models::ViTConfig& config);
void add_cct(OnnxLayers& layers, models::Cct& model);

}  // namespace vitrail::weights
