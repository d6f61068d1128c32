#include "cli/input_tensor.h"

#include <algorithm>

#include "base/text.h"

namespace vitrail::cli {

Tensor read_input_tensor(const char* op, const std::string& path, const models::Classifier& model) {
  const SafetensorsFile file = load_safetensors(path);
  const auto found =
      std::find_if(file.tensors.begin(), file.tensors.end(), [](const auto& entry) { return entry.first == "input"; });
  check(found != file.tensors.end(), ErrorKind::kData, op, escaped_path(path), ": there is no tensor \"input\" among ",
        file.tensors.size(), ". Hint: f32 [B, C, H, W], normalised as the model takes it.");
  const Tensor& input = found->second;
  check(is_float(input.dtype()) && input.dim() == 4 && input.size(0) >= 1 && input.size(1) == model.in_chans(),
        ErrorKind::kData, op, escaped_path(path), ": \"input\" must be f32 or f64 [B, ", model.in_chans(), ", H, W]: it is ",
        name_of(input.dtype()), " ", input.shape(), ".");
  return input;
}

void match_dtype(models::Classifier& model, const Tensor& input) {
  if (input.dtype() == Dtype::f64) model.to(Dtype::f64);
}

}  // namespace vitrail::cli
