// Layer: a module that maps one Variable to one Variable. Sequential chains layers; an ObserverGuard watches their outputs.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>

#include "autograd/variable.h"
#include "nn/module.h"
#include "tensor/rng.h"

namespace vitrail::nn {

class Layer : public Module {
 public:
  // forward(x), reported to the observers of this thread.
  Variable operator()(const Variable& x);
  virtual Variable forward(const Variable& x) = 0;
  // Multiply-adds of this module itself, without the modules below it.
  virtual int64_t macs(const Shape& input, const Shape& output) const;
};

// One call of one layer. The output is part of the graph if gradients are enabled.
struct Observation {
  const std::string& path;  // dotted, from the root that is observed; "" for the root itself
  Layer& layer;
  const Variable& input;
  const Variable& output;
};
using Observer = std::function<void(const Observation&)>;

// While it lives, the observer is called on this thread after every forward pass of a Layer in the tree of `root`, inner layers
// before the layer that contains them. Fused forms are not used meanwhile, so that each layer is observed:
//   const nn::ObserverGuard watch(model, [&](const nn::Observation& o) { outputs[o.path] = o.output.value(); });
// Guards nest: each sees its own tree. A guard must be destroyed on the thread that made it, in the reverse order of
// construction.
class ObserverGuard {
 public:
  ObserverGuard(Module& root, Observer observer);
  ~ObserverGuard();
  ObserverGuard(const ObserverGuard&) = delete;
  ObserverGuard& operator=(const ObserverGuard&) = delete;

 private:
  friend class Layer;
  std::unordered_map<const Module*, std::string> paths_;
  Observer observer_;
  ObserverGuard* outer_;
};
// True while a guard lives on this thread: then layers must run one by one, not fused.
bool observed();

}  // namespace vitrail::nn
