// A table of a model's layers: path, output shape, parameters, multiply-adds.
#pragma once

#include <string>
#include <vector>

#include "nn/layer.h"

namespace vitrail::nn {

struct SummaryRow {
  std::string name;  // dotted path
  Shape output;
  int64_t parameters = 0;  // of this layer and those below it
  int64_t macs = 0;        // multiply-adds of this layer and those below it; one is two FLOPs
};

struct Summary {
  std::vector<SummaryRow> rows;
  int64_t parameters = 0, trainable = 0, macs = 0;
};

// Runs one forward pass without gradients, in evaluation mode, on zeros of shape `input`. Published numbers assume batch size
// 1.
Summary summarize(Layer& model, const Shape& input);
// The table for a terminal. Rows with `depth` or more dots in their path are left out.
std::string to_string(const Summary& summary, int depth = 2);

}  // namespace vitrail::nn
