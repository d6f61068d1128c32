// Parts of a model that training leaves as they are.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "nn/module.h"

namespace vitrail::nn {

// Freezes every parameter for whose dotted path `trained` is false: no gradient, no graph below the first one that is trained.
// A module all of whose parameters are frozen is frozen as Module::freeze() says: in evaluation from now on, running statistics
// and dropout included. So is a module without parameters of its own directly below the root (the dropout of the positions), if
// all parameters that were registered before it are frozen. What is frozen already stays so. Returns how many parameters
// (tensors) are still trained.
int64_t freeze_all_but(Module& module, const std::function<bool(const std::string& path)>& trained);

// What is frozen and in which mode, to be restored later: for parts that rest for a while.
class FrozenState {
 public:
  explicit FrozenState(Module& module);
  // The module must have the parameters and modules that it had.
  void restore();

 private:
  struct Mode {
    Module* module;
    bool frozen, training;
  };
  std::vector<std::pair<Variable*, bool>> parameters_;  // whether they require a gradient
  std::vector<Mode> modes_;                             // parents first
};

}  // namespace vitrail::nn
