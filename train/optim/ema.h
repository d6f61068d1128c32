// An exponential moving average of the weights: often a better model than the last step's.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nn/module.h"

namespace vitrail {

class Ema {
 public:
  // Starts as a copy of the module's parameters and float buffers. Error(kValue) unless 0 <= decay < 1.
  // The module must outlive this object.
  Ema(nn::Module& module, double decay);

  // a = d a + (1 - d) w with d = min(decay, (1 + t) / (10 + t)) for the t-th call, t = 0, 1, ...: the average is not held back
  // by the first, random weights. Parameters that do not require a gradient are averaged too. Error(kValue) naming the tensor
  // if its shape or dtype is no longer that of its average; then nothing has been changed.
  void update();
  double decay_at(int64_t update) const;

  // Exchanges the module's weights with the averages, without a copy. Call it again to go back.
  void swap();
  // True while the averages stand in the module.
  bool swapped() const { return swapped_; }

  int64_t updates() const { return updates_; }
  void set_updates(int64_t updates) { updates_ = updates; }
  // The averages by path, sharing memory with this object (while swapped in: the module's own weights).
  nn::StateDict state() const;
  // Copies values in. Error(kValue) if names, shapes or dtypes differ.
  void load_state(const nn::StateDict& state);

 private:
  std::vector<nn::NamedParameter> parameters_;
  std::vector<nn::NamedBuffer> buffers_;
  std::vector<Tensor> averages_;  // of parameters_, then of buffers_
  double decay_;
  int64_t updates_ = 0;
  bool swapped_ = false;
};

// Swaps the averages in for the length of a scope; does nothing for a null pointer.
class EmaScope {
 public:
  explicit EmaScope(Ema* ema) : ema_(ema) {
    if (ema_) ema_->swap();
  }
  ~EmaScope() {
    if (ema_) ema_->swap();
  }
  EmaScope(const EmaScope&) = delete;
  EmaScope& operator=(const EmaScope&) = delete;

 private:
  Ema* ema_;
};

}  // namespace vitrail
