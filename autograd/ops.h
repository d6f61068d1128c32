// Every differentiable operation, and with it every tensor operation: softmax(Tensor) gives a Tensor, softmax(Variable) a
// Variable. The op itself, forward and backward side by side under its formula, is in its family file in autograd/ops/; its row
// in tests/op_cases_*.cpp is checked by every build. Functions without a gradient (argmax, comparisons) take and return Tensor.
//
// The library's own files include only the family headers that they need, so that a new op does not recompile most of the
// project.
#pragma once

#include "autograd/modes.h"       // IWYU pragma: export
#include "autograd/ops/layers.h"  // IWYU pragma: export
#include "autograd/ops/math.h"    // IWYU pragma: export
#include "autograd/ops/shape.h"   // IWYU pragma: export
#include "autograd/record.h"      // IWYU pragma: export
#include "autograd/variable.h"    // IWYU pragma: export
#include "tensor/ops.h"           // IWYU pragma: export
