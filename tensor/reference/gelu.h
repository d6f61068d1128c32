// GELU in its three forms (tensor/ops/elementwise.h says where each is used), and their derivatives.
#pragma once

#include "tensor/ops/elementwise.h"

namespace vitrail::reference {

double gelu(double x, Gelu kind);
double gelu_derivative(double x, Gelu kind);

}  // namespace vitrail::reference
