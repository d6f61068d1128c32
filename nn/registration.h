// Finds parameters that were not registered: they would contribute to the loss but never be trained, saved or counted.
#pragma once

#include "nn/module.h"

namespace vitrail::nn {

// Error(kValue), naming shape and op, if a leaf below `loss` requires a gradient and is not among the parameters of `model`: a
// member layer without register_module, a Variable without register_parameter. It does not find parameters inside checkpoint(),
// nor frozen ones. Walks the graph once; call it before backward(), which frees the graph.
void check_registered(const Variable& loss, Module& model);

}  // namespace vitrail::nn
