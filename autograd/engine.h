// The engine: runs the graph below a Variable backward. Users call Variable::backward.
#pragma once

#include "autograd/variable.h"

namespace vitrail {

// Adds d(root)/d(leaf) * dy to the grad of every leaf below root. dy has root's shape and dtype.
void run_backward(const Variable& root, const Tensor& dy, bool retain_graph);

// The op whose backward function runs now on this thread, for error messages; "" outside.
const char* current_op();

}  // namespace vitrail
