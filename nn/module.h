// Module: a named tree of parameters. Layers are plain members of their owner, registered by name in its constructor; the
// dotted paths that result (blocks.0.attn.qkv.weight) are the keys of checkpoints.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/modes.h"
#include "autograd/variable.h"

namespace vitrail::nn {

// A parameter or buffer with its dotted path.
struct NamedParameter {
  std::string name;
  Variable* parameter;
};
struct NamedBuffer {
  std::string name;
  Tensor* buffer;
};
using StateDict = std::vector<std::pair<std::string, Tensor>>;  // in registration order

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  // A registered address must not dangle: no copy, no move.
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // Switches dropout, drop path and batch norm, in this module and all below. Never touches requires_grad.
  void train(bool on = true);
  void eval() { train(false); }
  // Inside a checkpoint's recomputation: what it was in the forward pass (autograd/modes.h: replayed).
  bool training() const { return replayed(training_); }

  // All parameters below, in registration order, with dotted paths. Buffers are state that is no parameter (running means).
  std::vector<NamedParameter> named_parameters();
  std::vector<NamedBuffer> named_buffers();
  std::vector<std::pair<std::string, Module*>> named_modules();  // this one (name "") first, then depth first
  int64_t num_parameters();
  // Paths, from this module on, of parameters that weight decay must spare beside biases and norms (cls_token, pos_embed, ...).
  virtual std::vector<std::string> no_weight_decay() const { return {}; }
  void zero_grad();
  // Converts all float parameters and buffers (gradients are dropped).
  void to(Dtype dtype);

  // Parameters and buffers by path; the tensors share memory with the module.
  StateDict state_dict();
  // Copies the values in. Error(kValue) listing at once all missing and unexpected names and all shapes that differ;
  // then nothing has been changed.
  void load_state_dict(const StateDict& state);

 protected:
  // Names must be non-empty, without dots, and unique in this module, else Error(kValue).
  void register_parameter(const std::string& name, Variable& parameter);
  void register_buffer(const std::string& name, Tensor& buffer);
  void register_module(const std::string& name, Module& module);

 private:
  void check_name(const std::string& name) const;

  bool training_ = true;
  std::vector<std::pair<std::string, Variable*>> parameters_;
  std::vector<std::pair<std::string, Tensor*>> buffers_;
  std::vector<std::pair<std::string, Module*>> modules_;
};

}  // namespace vitrail::nn
