// One small valid call of every operator: what tests and fuzzers start from when they break a rule.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tensor/tensor.h"
#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {

struct SampleCall {
  std::vector<Tensor> inputs;
  std::map<std::string, std::string> attributes;  // name -> JSON value

  std::string attribute_text() const;  // as one JSON object
  Call call() const;
};

// By operator name; one for each entry of operators().
const std::map<std::string, SampleCall>& sample_calls();

}  // namespace vitrail::onnx
