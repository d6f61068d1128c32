#include "autograd/node.h"

#include <atomic>
#include <cmath>
#include <sstream>
#include <unordered_set>

#include "autograd/engine.h"
#include "autograd/profile.h"
#include "tensor/machine/parallel.h"

namespace vitrail {
namespace {

thread_local bool grad_mode = true;
std::atomic<bool> anomaly{false};
std::atomic<uint64_t> next_id{1};

Edge edge_to(const Variable& x) {
  Edge edge;
  if (x.defined()) edge.shape = x.shape();
  if (!x.requires_grad()) return edge;
  if (x.node()) {
    edge.node = x.node();
  } else {
    edge.leaf = x.meta();
  }
  return edge;
}

// Index of the first element that is no finite number, or -1.
template <class T>
int64_t first_non_finite(const T* x, int64_t n) {
  return parallel_reduce<int64_t>(
      n, kElementwiseGrain, -1,
      [&](int64_t begin, int64_t end) -> int64_t {
        for (int64_t i = begin; i < end; ++i) {
          if (!std::isfinite(x[i])) return i;
        }
        return -1;
      },
      [](int64_t a, int64_t b) { return a >= 0 ? a : b; });
}

template <class Inputs>
Variable record_inputs(const char* name, Tensor value, const Inputs& inputs, BackwardFn&& backward) {
  check_finite(name, "value", value);
  if (Profile* profile = active_profile())
    profile->lap(name, Pass::kForward, detail::bytes_forward(value, std::data(inputs), inputs.size()));
  bool needed = false;
  for (const Variable& x : inputs) needed = needed || x.requires_grad();
  if (!grad_mode || !needed) return Variable(std::move(value));
  auto node = std::make_shared<Node>();
  node->name = name;
  node->id = next_id++;
  node->shape = value.shape();
  node->backward = std::move(backward);
  node->inputs.reserve(inputs.size());
  for (const Variable& x : inputs) node->inputs.push_back(edge_to(x));
  return Variable(std::move(value), std::move(node));
}

}  // namespace

const Tensor& Saved::operator*() const {
  check(tensor_.version() == version_, ErrorKind::kValue, current_op(),
        "a tensor that this op saved for its gradient was changed in place: shape is ", tensor_.shape(), ", version ",
        tensor_.version(), " instead of ", version_, ". Hint: change a clone(), or after backward().");
  return tensor_;
}

Grads::Grads(const Node& node) : node_(node), slots_(node.inputs.size()) {}

bool Grads::needs(int i) const { return node_.inputs[i].needed(); }

Tensor Grads::leaf_grad(int i) const {
  const std::shared_ptr<Meta>& leaf = node_.inputs[i].leaf;
  if (anomaly || !leaf || !leaf->grad.defined()) return {};
  const Tensor& grad = leaf->grad;
  return grad.storage().use_count() == 1 && grad.is_contiguous() ? grad : Tensor();
}

Node::~Node() {
  // Without this, the destructors of a long chain would call each other and overflow the stack.
  std::vector<std::shared_ptr<Node>> pending;
  const auto take_inputs = [&](Node& node) {
    for (Edge& edge : node.inputs) {
      if (edge.node) pending.push_back(std::move(edge.node));
    }
  };
  take_inputs(*this);
  while (!pending.empty()) {
    const std::shared_ptr<Node> node = std::move(pending.back());
    pending.pop_back();
    if (node.use_count() == 1) take_inputs(*node);
  }
}

Variable record(const char* name, Tensor value, std::initializer_list<Variable> inputs, BackwardFn backward) {
  return record_inputs(name, std::move(value), inputs, std::move(backward));
}

Variable record(const char* name, Tensor value, const std::vector<Variable>& inputs, BackwardFn backward) {
  return record_inputs(name, std::move(value), inputs, std::move(backward));
}

bool grad_enabled() { return grad_mode; }

NoGradGuard::NoGradGuard() : before_(grad_mode) { grad_mode = false; }
NoGradGuard::~NoGradGuard() { grad_mode = before_; }
EnableGradGuard::EnableGradGuard() : before_(grad_mode) { grad_mode = true; }
EnableGradGuard::~EnableGradGuard() { grad_mode = before_; }

void set_anomaly_mode(bool on) { anomaly = on; }
bool anomaly_mode() { return anomaly; }

void check_finite(const char* op, const char* what, const Tensor& x) {
  if (anomaly && x.defined() && x.dtype() == Dtype::bf16) return check_finite(op, what, to(x, Dtype::f32));
  if (!anomaly || !x.defined() || !is_float(x.dtype())) return;
  const Tensor y = contiguous(x);
  dispatch_float(op, y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const int64_t place = first_non_finite(y.data<T>(), y.numel());
    check(place < 0, ErrorKind::kNumeric, op, "the first ", what, " that is no finite number: element ", place, " of ",
          y.shape(), " is ", place < 0 ? T{0} : y.data<T>()[place], ". Hint: look at the inputs of this op.");
  });
}

std::string to_dot(const Variable& root) {
  std::ostringstream out;
  out << "digraph autograd {\n  rankdir=BT;\n  node [fontname=\"sans-serif\"];\n";
  std::unordered_set<const void*> leaves;
  std::unordered_set<const Node*> seen;
  std::vector<const Node*> pending;
  if (root.node()) pending.push_back(root.node().get()), seen.insert(root.node().get());
  while (!pending.empty()) {
    const Node* node = pending.back();
    pending.pop_back();
    out << "  n" << node->id << " [shape=box, label=\"" << node->name << "\\n" << node->shape << "\"];\n";
    for (const Edge& edge : node->inputs) {
      if (edge.node) {
        out << "  n" << edge.node->id << " -> n" << node->id << ";\n";
        if (seen.insert(edge.node.get()).second) pending.push_back(edge.node.get());
      } else if (edge.leaf) {
        const auto id = reinterpret_cast<uintptr_t>(edge.leaf.get());
        if (leaves.insert(edge.leaf.get()).second)
          out << "  l" << id << " [shape=ellipse, label=\"leaf\\n" << edge.shape << "\"];\n";
        out << "  l" << id << " -> n" << node->id << ";\n";
      }
    }
  }
  out << "}\n";
  return out.str();
}

}  // namespace vitrail
