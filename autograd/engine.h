// The engine: runs the graph below a Variable backward. Users call Variable::backward.
#pragma once

#include <functional>

#include "autograd/variable.h"

namespace vitrail {

// Adds d(root)/d(leaf) * dy to the grad of every leaf below root. dy has root's shape and dtype.
void run_backward(const Variable& root, const Tensor& dy, bool retain_graph);

// The op whose backward function runs now on this thread, for error messages; "" outside.
const char* current_op();

// Called in backward() for each leaf below the root that requires a gradient, once, as soon as leaf.grad() is final in this
// pass (undefined if no gradient reached it). So a gradient can be sent to another machine while the others are still being
// computed. Leaves that only a checkpoint uses are included. The order follows the graph: it is the same in every pass over the
// same graph.
using GradientObserver = std::function<void(const Variable& leaf)>;
// Sets the observer of this thread's backward passes for the length of a scope. The previous observer is not called meanwhile.
class GradientObserverGuard {
 public:
  explicit GradientObserverGuard(GradientObserver observer);
  ~GradientObserverGuard();
  GradientObserverGuard(const GradientObserverGuard&) = delete;
  GradientObserverGuard& operator=(const GradientObserverGuard&) = delete;

 private:
  GradientObserver before_;
};

}  // namespace vitrail
