// What a model is made of, as a table: layer, output shape, parameters, multiply-adds.
#pragma once

#include <string>
#include <vector>

#include "nn/layer.h"

namespace vitrail::nn {

struct SummaryRow {
  std::string name;  // dotted path
  Shape output;
  int64_t parameters = 0;  // own and below
  int64_t macs = 0;        // multiply-adds, own and below; one multiply-add is two FLOPs
};

struct Summary {
  std::vector<SummaryRow> rows;
  int64_t parameters = 0, trainable = 0, macs = 0;
};

// Runs one forward pass without gradients, in evaluation mode, on zeros of `input` (batch 1 for the usual numbers).
Summary summarize(Layer& model, const Shape& input);
// The table for a terminal. Rows with `depth` or more dots in their path are left out.
std::string to_string(const Summary& summary, int depth = 2);

}  // namespace vitrail::nn
