// One operator call stored in a safetensors file: tensors input.I[.NAME], output.I[.NAME], grad_output.I; the attributes as
// JSON in __metadata__.attrs, the version of the ONNX standard as {"ai.onnx": 13} in __metadata__.opset. Read by the program
// `runop` and by the test over the ONNX vectors.
#pragma once

#include "tensor/safetensors.h"
#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {

struct StoredCall {
  std::string op;               // __metadata__.op or .operator, "" if absent
  Call call;                    // inputs (outputs) stand where __metadata__.node_inputs (node_outputs) has their names
  std::vector<Tensor> outputs;  // by position, undefined where absent
  std::vector<Tensor> grad_outputs;
};

// Error(kData) naming `source` for names or attributes that do not follow the contract.
StoredCall stored_call(const SafetensorsFile& file, const std::string& source);

}  // namespace vitrail::onnx
