// A module of a few numbers, for tests that look at every one of them.
#pragma once

#include "nn/module.h"

namespace vitrail::testing {

struct TinyModule : nn::Module {
  explicit TinyModule(const std::vector<double>& w = {1, -2, 3, 0.5}, Dtype dtype = Dtype::f64)
      : weight(vitrail::to(from_vector(w, Shape{static_cast<int64_t>(w.size()), 1}), dtype), true),
        bias(vitrail::to(full({2}, 0.25), dtype), true) {
    register_parameter("weight", weight);
    register_parameter("bias", bias);
  }
  void set_grads(const std::vector<double>& dw, double db) {
    weight.set_grad(vitrail::to(from_vector(dw, weight.shape()), weight.dtype()));
    bias.set_grad(full({2}, db, bias.dtype()));
  }
  std::vector<double> w() const { return to_vector<double>(weight.value()); }

  Variable weight, bias;
};

}  // namespace vitrail::testing
