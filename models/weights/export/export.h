// A model written so that another library opens it as its own.
#pragma once

#include <string>
#include <vector>

#include "models/weights/export/exported.h"

namespace vitrail::weights {

// "timm", "hf", "torchvision", "vitrail", "onnx".
const std::vector<std::string>& export_targets();

struct ExportReport {
  std::string what;  // "timm's vit_tiny_patch16_224: 152 tensors, 22.9 MB"
  std::string open;  // how the library opens it: "timm.create_model('local-dir:PATH', pretrained=True)"
  std::vector<std::string> notes;
};

// Error(kValue) unless export_model() may write there: for an unknown target, a file name that the library would not read, and
// something that is there already unless `replace`. Even then only a file is replaced, or a folder that holds nothing but
// files that export_model() writes.
void check_destination(const std::string& to, const std::string& path, bool replace);

// timm, hf and vitrail: a folder; torchvision: a file .safetensors; onnx: a file .onnx. Each appears whole or not at all.
// Errors: kValue naming what the target cannot express (nothing is written then), kNumeric naming a weight that is not finite,
// kIo.
ExportReport export_model(LoadedModel& model, const std::string& to, const std::string& path, const ExportOptions& options,
                          bool replace);

}  // namespace vitrail::weights
