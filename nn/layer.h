// Layer: a module that maps one Variable to one Variable. Sequential chains them; summary() watches them.
#pragma once

#include <functional>

#include "autograd/variable.h"
#include "nn/module.h"

namespace vitrail::nn {

class Layer : public Module {
 public:
  // forward(x), seen by the observer of this thread.
  Variable operator()(const Variable& x);
  virtual Variable forward(const Variable& x) = 0;
  // Multiply-adds of this module itself, without the modules below it.
  virtual int64_t macs(const Shape& input, const Shape& output) const;
};

// Called after every Layer's forward pass on this thread, while set: summary() uses it.
using Observer = std::function<void(Layer& layer, const Shape& input, const Shape& output)>;
// True while one is set: then layers run one by one, instead of several as one op, so that each is seen.
bool observed();
// Sets the observer for as long as it lives.
class ObserverGuard {
 public:
  explicit ObserverGuard(Observer observer);
  ~ObserverGuard();
  ObserverGuard(const ObserverGuard&) = delete;
  ObserverGuard& operator=(const ObserverGuard&) = delete;

 private:
  Observer before_;
};

}  // namespace vitrail::nn
