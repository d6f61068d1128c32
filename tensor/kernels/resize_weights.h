// The sparse matrix that resizes one axis.
#pragma once

#include <vector>

#include "tensor/ops/resize.h"

namespace vitrail::detail {

// Output i is the sum over k < count[i] of weights[offset[i] + k] * input[start[i] + k].
struct AxisWeights {
  int64_t in = 0, out = 0;
  std::vector<int64_t> start, count, offset;
  std::vector<double> weights;

  void append(int64_t first, const std::vector<double>& taps);
};

// `scale` is that of this axis: options.scale_h or options.scale_w.
AxisWeights axis_weights(int64_t in, int64_t out, const ResizeOptions& options, double scale);
// The transposed matrix: the same weights, grouped by input.
AxisWeights transposed(const AxisWeights& w);

}  // namespace vitrail::detail
