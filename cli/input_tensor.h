// Input that has been prepared elsewhere: a tensor in a file instead of pictures, so that a model's arithmetic can be told
// apart from its preprocessing.
#pragma once

#include <string>

#include "models/classifier.h"
#include "tensor/safetensors.h"

namespace vitrail::cli {

// The tensor "input" of a safetensors file: f32 or f64 [B, C, H, W], B at least 1, as the model takes it, normalised.
// Error(kData) naming the file if there is none, or it has another shape or type.
Tensor read_input_tensor(const char* op, const std::string& path, const models::Classifier& model);

// For an input in f64 the model is converted: all arithmetic is then in double.
void match_dtype(models::Classifier& model, const Tensor& input);

}  // namespace vitrail::cli
