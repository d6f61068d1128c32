// Variable: a Tensor value that remembers how it was made, so that gradients can flow back.
//
// A Variable is a handle to a shared Meta (value, requires_grad, grad, node). A Tensor converts to a constant Variable.
// Operations are in autograd/ops.h; the engine that runs them backward is autograd/engine.cpp.
#pragma once

#include <iosfwd>
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
  // A leaf. Error(kValue) for requires_grad with an integer tensor.
  Variable(Tensor value, bool requires_grad);
  // The result of an op (autograd/record.h).
  Variable(Tensor value, std::shared_ptr<Node> node);
  // Another handle to the same Variable.
  explicit Variable(std::shared_ptr<Meta> meta) : meta_(std::move(meta)) {}

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

  // The gradient of a leaf, undefined before the first backward. Error(kValue) on the result of an op, which keeps none.
  const Tensor& grad() const;
  // Error(kShape) or Error(kValue) unless `grad` has the value's shape and dtype (or is undefined).
  void set_grad(Tensor grad);
  void zero_grad() { set_grad({}); }

  // Adds d(this)/d(leaf) * dy to the grad of every leaf that requires one. dy has the shape of this; for a one-element Variable
  // it may be left out and is 1. Frees what the ops saved, unless retain_graph; a second backward then throws Error(kValue).
  void backward(const Tensor& dy = {}, bool retain_graph = false) const;

  // The same value without history (shares memory).
  Variable detach() const { return Variable(value()); }

  const std::shared_ptr<Meta>& meta() const { return meta_; }
  const std::shared_ptr<Node>& node() const;

 private:
  std::shared_ptr<Meta> meta_;
};

// The value, and where its gradient goes:
//   Variable([1.0000, 2.0000], shape=[2], dtype=f32, requires_grad)     a leaf
//   Variable([1.0000, 2.0000], shape=[2], dtype=f32, op=exp)            the result of an op
// A constant has neither. Shortened like a Tensor (tensor/print.h); Variable(undefined) if undefined.
std::ostream& operator<<(std::ostream& out, const Variable& x);

}  // namespace vitrail
