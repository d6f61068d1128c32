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
#include "nn/state_dict.h"

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

// "" + "fc" -> "fc", "blocks" + "0" -> "blocks.0"
std::string join_path(const std::string& prefix, const std::string& name);

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  // Neither copied nor moved, since a registered address must not dangle.
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // Switches dropout, drop path and batch norm, in this module and all below. Never touches requires_grad. Modules that are
  // frozen() stay in evaluation. For the length of a scope use EvalGuard, which restores what it found.
  void train(bool on = true);
  void eval() { train(false); }
  // In the recomputation of a checkpoint this is the mode of the forward pass (replayed() of autograd/modes.h).
  bool training() const { return replayed(training_); }

  // For fine-tuning: the parameters of this module and all below require no gradient (those they have are dropped), and the
  // modules stay in evaluation (batch norm keeps its running statistics) even if train() is called on a parent. unfreeze()
  // undoes both: the parameters require gradients, and the modules are in training.
  void freeze();
  void unfreeze();
  bool frozen() const { return frozen_; }
  // Whether a parameter of this module or one below requires a gradient.
  bool trainable() const;

  // All parameters below, in registration order, with dotted paths. One that is registered under two names (tied weights: two
  // Variables that share their value, or a module registered twice) is one parameter, listed under its first name.
  // Buffers are state that is not trained (running means).
  std::vector<NamedParameter> named_parameters();
  std::vector<NamedBuffer> named_buffers();
  std::vector<std::pair<std::string, Module*>> named_modules();  // this one (name "") first, then depth first, each once
  int64_t num_parameters();
  // Paths, relative to this module, of parameters without weight decay, in addition to biases and norms (cls_token, pos_embed,
  // ...).
  virtual std::vector<std::string> no_weight_decay() const { return {}; }
  void zero_grad();
  // Converts all float parameters and buffers (gradients are dropped).
  void to(Dtype dtype);

  // Parameters, then buffers, by path; the tensors share memory with the module. A tied parameter is listed under each of its
  // names.
  StateDict state_dict();
  // Copies the values in; a tied parameter needs one of its names only. LoadError, an Error(kValue), if the state differs in
  // a way that `options` does not allow; then nothing has been changed. Returns the report.
  LoadReport load_state_dict(const StateDict& state, const LoadOptions& options = {});

 protected:
  // Names must be non-empty, without dots, and unique in this module, else Error(kValue).
  void register_parameter(const std::string& name, Variable& parameter);
  void register_buffer(const std::string& name, Tensor& buffer);
  // Error(kValue) for a module that is or holds this one: the tree must have no cycle.
  void register_module(const std::string& name, Module& module);

 private:
  friend class ModeGuard;

  void check_name(const std::string& name) const;
  bool holds(const Module* module) const;
  // visit(path, module) for this module and all below, parents first; a module that is registered twice is visited under both
  // paths.
  void walk(const std::string& path, const std::function<void(const std::string&, Module&)>& visit);

  bool training_ = true;
  bool frozen_ = false;
  std::vector<std::pair<std::string, Variable*>> parameters_;
  std::vector<std::pair<std::string, Tensor*>> buffers_;
  std::vector<std::pair<std::string, Module*>> modules_;
};

// Switches a module tree to one mode for the length of a scope, then gives every module the mode it had: a batch norm that was
// in evaluation inside a module in training is in evaluation again. The tree must outlive the guard and not change meanwhile.
class ModeGuard {
 public:
  ModeGuard(Module& module, bool training);
  ~ModeGuard();
  ModeGuard(const ModeGuard&) = delete;
  ModeGuard& operator=(const ModeGuard&) = delete;

 private:
  std::vector<std::pair<Module*, bool>> before_;
};

class EvalGuard : public ModeGuard {
 public:
  explicit EvalGuard(Module& module) : ModeGuard(module, false) {}
};

}  // namespace vitrail::nn
