// What the ops of two operands share: equal shapes first, so that each rule can pass dy on as it is.
#pragma once

#include <utility>

#include "autograd/ops.h"

namespace vitrail {

// Both operands in their common shape. Where the shapes are equal already, no node is added.
inline std::pair<Variable, Variable> broadcast_both(const char* op, const Variable& a, const Variable& b) {
  if (a.shape() == b.shape()) return {a, b};
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), op);
  return {broadcast_to(a, shape), broadcast_to(b, shape)};
}

// x kept for the backward pass if `needed`, else nothing: a product with a constant need not keep the other factor.
inline Saved save_if(bool needed, const Variable& x) { return needed ? Saved(x) : Saved(); }

}  // namespace vitrail
