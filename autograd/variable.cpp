#include "autograd/variable.h"

#include <ostream>
#include <string>

#include "autograd/engine.h"
#include "autograd/node.h"
#include "tensor/print.h"

namespace vitrail {

Variable::Variable(Tensor value, bool requires_grad) {
  if (!value.defined()) {
    check(!requires_grad, ErrorKind::kValue, "variable", "an undefined tensor cannot require a gradient");
    return;
  }
  check(!requires_grad || is_float(value.dtype()), ErrorKind::kValue, "variable",
        "only float tensors can require a gradient: dtype is ", name_of(value.dtype()));
  meta_ = std::make_shared<Meta>(Meta{std::move(value), {}, nullptr, requires_grad});
}

Variable::Variable(Tensor value, std::shared_ptr<Node> node)
    : meta_(std::make_shared<Meta>(Meta{std::move(value), {}, std::move(node), true})) {}

const Tensor& Variable::value() const {
  check(defined(), ErrorKind::kValue, "variable", "the variable is undefined");
  return meta_->value;
}

void Variable::set_value(Tensor value) {
  check(is_leaf(), ErrorKind::kValue, "variable", "only a leaf's value can be replaced: this is the result of ",
        is_leaf() ? "" : meta_->node->name);
  if (!meta_) meta_ = std::make_shared<Meta>();
  meta_->value = std::move(value);
}

void Variable::set_requires_grad(bool on) {
  check(defined(), ErrorKind::kValue, "variable", "only a leaf's requires_grad can be set: this is undefined");
  check(is_leaf(), ErrorKind::kValue, "variable", "only a leaf's requires_grad can be set: this is the result of ",
        is_leaf() ? "" : meta_->node->name, ". Hint: use detach().");
  check(!on || is_float(dtype()), ErrorKind::kValue, "variable", "only float tensors can require a gradient: dtype is ",
        name_of(dtype()));
  meta_->requires_grad = on;
}

const Tensor& Variable::grad() const {
  check(defined(), ErrorKind::kValue, "variable", "the variable is undefined");
  check(is_leaf(), ErrorKind::kValue, "variable", "only a leaf keeps its gradient: this is the result of ",
        is_leaf() ? "" : meta_->node->name,
        ". Hint: make a leaf of its value, Variable h(y.value(), true), go on with h, and read h.grad().");
  return meta_->grad;
}

void Variable::set_grad(Tensor grad) {
  check(!grad.defined() || grad.shape() == shape(), ErrorKind::kShape, "variable",
        "a gradient has the shape of its value: gradient is ", grad.defined() ? grad.shape() : Shape{}, ", value is ", shape());
  check(!grad.defined() || grad.dtype() == dtype(), ErrorKind::kValue, "variable",
        "a gradient has the dtype of its value: gradient is ", name_of(grad.dtype()), ", value is ", name_of(dtype()));
  if (meta_) meta_->grad = std::move(grad);
}

const std::shared_ptr<Node>& Variable::node() const {
  static const std::shared_ptr<Node> none;
  return meta_ ? meta_->node : none;
}

void Variable::backward(const Tensor& dy, bool retain_graph) const {
  check(requires_grad(), ErrorKind::kValue, "backward",
        "nothing to differentiate: no input of this variable requires a gradient. ",
        "Hint: make leaves with Variable(tensor, true), and call no op under a NoGradGuard.");
  Tensor seed = dy;
  if (!seed.defined()) {
    check(numel() == 1, ErrorKind::kShape, "backward", "without dy the variable must have one element: shape is ", shape(),
          ". Hint: reduce to a loss, or give dy.");
    seed = ones_like(value());
  }
  check(seed.shape() == shape() && seed.dtype() == dtype(), ErrorKind::kShape, "backward",
        "dy must be like the variable: dy is ", seed.shape(), " ", name_of(seed.dtype()), ", the variable is ", shape(), " ",
        name_of(dtype()));
  run_backward(*this, seed, retain_graph);
}

std::ostream& operator<<(std::ostream& out, const Variable& x) {
  if (!x.defined()) return out << "Variable(undefined)";
  std::string text = to_string(x.value());
  text.replace(0, std::string("Tensor").size(), "Variable");
  if (x.requires_grad()) text.insert(text.size() - 1, x.is_leaf() ? ", requires_grad" : cat(", op=", x.node()->name));
  return out << text;
}

}  // namespace vitrail
