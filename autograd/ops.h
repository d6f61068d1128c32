// Every differentiable operation, and with it every tensor operation: softmax(Tensor) gives a Tensor, softmax(Variable) a
// Variable. The op itself, forward and backward side by side under its formula, is in the family file of autograd/ops/ where
// one would look for it; its row in tests/op_cases_*.cpp is checked by every build. What has no gradient (argmax, comparisons)
// takes and returns Tensor.
//
// The library's own files include the part that they need, so that a new op does not compile most of the tree again.
#pragma once

#include "autograd/modes.h"       // IWYU pragma: export
#include "autograd/ops/layers.h"  // IWYU pragma: export
#include "autograd/ops/math.h"    // IWYU pragma: export
#include "autograd/ops/shape.h"   // IWYU pragma: export
#include "autograd/record.h"      // IWYU pragma: export
#include "autograd/variable.h"    // IWYU pragma: export
#include "tensor/ops.h"           // IWYU pragma: export
