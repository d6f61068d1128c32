// One operation, forward and backward, on the tensors of a safetensors file: what the program `runop` does, as a function.
#pragma once

#include <string>

#include "tensor/safetensors.h"

namespace vitrail::onnx {

// y = op(x) with input.I and the attributes of `file`; with any grad_output.J also the gradient of sum_J <y_J, grad_output.J>.
// The result holds output.J, and grad_input.I for every float input if there was a backward pass (zeros where nothing flows).
// Errors: kValue for an unknown operation or a use of it that is not supported, kData for a call that breaks its rules
// (`source` is named), and whatever the operation throws itself.
SafetensorsFile run_op(const std::string& name, const SafetensorsFile& file, const std::string& source);

}  // namespace vitrail::onnx
