// Variable: a Tensor value that remembers how it was made, so that gradients can flow back.
//
// A Variable is a handle to a shared Meta (value, requires_grad, grad, node). A Tensor converts to a constant Variable.
// Operations are in autograd/ops.h; the engine that runs them backward is autograd/engine.cpp.
#pragma once

#include <memory>

#include "tensor/tensor.h"

namespace vitrail {

struct Node;

// What the copies of one Variable share.
struct Meta {
  Tensor value;
  Tensor grad;                 // of a leaf: sum of the gradients so far; undefined before the first backward
  std::shared_ptr<Node> node;  // what computed it; none for a leaf
  bool requires_grad = false;
};

class Variable {
 public:
  Variable() = default;                                          // undefined
  Variable(Tensor value) : Variable(std::move(value), false) {}  // NOLINT: a Tensor is a constant Variable
  // A leaf. Error(kValue) if requires_grad is asked of an integer tensor.
  Variable(Tensor value, bool requires_grad);
  // The result of an op (autograd/node.h: record).
  Variable(Tensor value, std::shared_ptr<Node> node);

  bool defined() const { return meta_ != nullptr; }
  const Tensor& value() const;
  // Replaces the value of a leaf (an optimiser step, loading weights). Error(kValue) on the result of an op.
  void set_value(Tensor value);

  const Shape& shape() const { return value().shape(); }
  int64_t size(int axis) const { return value().size(axis); }
  int dim() const { return value().dim(); }
  int64_t numel() const { return value().numel(); }
  Dtype dtype() const { return value().dtype(); }
  double item() const { return value().item(); }

  bool requires_grad() const { return meta_ && meta_->requires_grad; }
  // Leaves only: Error(kValue) on the result of an op.
  void set_requires_grad(bool on);
  bool is_leaf() const { return !meta_ || !meta_->node; }

  // The gradient of a leaf, undefined before the first backward.
  const Tensor& grad() const;
  void set_grad(Tensor grad);
  void zero_grad() { set_grad({}); }

  // Adds d(this)/d(leaf) * dy to the grad of every leaf that requires one. dy: undefined for a one-element Variable (1),
  // else of its shape. Frees what the ops saved, unless retain_graph; a second backward then throws Error(kValue).
  void backward(const Tensor& dy = {}, bool retain_graph = false) const;

  // The same value without history (shares memory).
  Variable detach() const { return Variable(value()); }

  const std::shared_ptr<Meta>& meta() const { return meta_; }
  const std::shared_ptr<Node>& node() const;

 private:
  std::shared_ptr<Meta> meta_;
};

}  // namespace vitrail
