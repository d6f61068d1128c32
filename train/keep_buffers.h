// Buffers (running statistics) that a scope may change and shall leave as they were.
#pragma once

#include <vector>

#include "nn/module.h"

namespace vitrail {

// Puts the buffers of a module back at the end of its scope, or as often as restore() is called; not after release().
class KeepBuffers {
 public:
  explicit KeepBuffers(nn::Module& module) : buffers_(module.named_buffers()) {
    for (const nn::NamedBuffer& entry : buffers_) kept_.push_back(entry.buffer->defined() ? clone(*entry.buffer) : Tensor());
  }
  ~KeepBuffers() {
    if (!released_) restore();
  }
  KeepBuffers(const KeepBuffers&) = delete;
  KeepBuffers& operator=(const KeepBuffers&) = delete;

  void restore() {
    for (size_t i = 0; i < buffers_.size(); ++i) *buffers_[i].buffer = kept_[i].defined() ? clone(kept_[i]) : Tensor();
  }
  void release() { released_ = true; }

 private:
  std::vector<nn::NamedBuffer> buffers_;
  std::vector<Tensor> kept_;
  bool released_ = false;
};

}  // namespace vitrail
