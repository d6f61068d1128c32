#include "autograd/engine.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "autograd/node.h"
#include "autograd/profile.h"
#include "tensor/ops/elementwise.h"

namespace vitrail {
namespace {

thread_local const char* running_op = "";

struct RunningOp {
  explicit RunningOp(const char* name) : before(running_op) { running_op = name; }
  ~RunningOp() { running_op = before; }
  const char* before;
};

// True if nobody else can see this memory: then it may be written to.
bool sole_owner(const Tensor& x) { return x.storage().use_count() == 1 && x.is_contiguous(); }

// Adds a gradient to a slot. The first is held by reference and never written to while anyone else holds it: in (a + b) + a,
// a and b receive the very same dy, and adding into it would give b a gradient of two.
void accumulate(Tensor& slot, Tensor&& gradient) {
  if (!slot.defined()) {
    slot = std::move(gradient);
  } else if (sole_owner(slot)) {
    add_(slot, gradient);
  } else {
    slot = add(slot, gradient);
  }
}

// The grad of a leaf outlives the pass, so it gets memory of its own.
void accumulate_leaf(Meta& leaf, Tensor&& gradient) {
  check(gradient.shape() == leaf.value.shape(), ErrorKind::kShape, "backward",
        "a leaf was given a value of another shape since the forward pass: value is ", leaf.value.shape(), ", gradient is ",
        gradient.shape());
  check(!leaf.grad.defined() || leaf.grad.shape() == gradient.shape(), ErrorKind::kShape, "backward",
        "gradients of another shape have been accumulated in a leaf: grad is ",
        leaf.grad.defined() ? leaf.grad.shape() : Shape{}, ", the new gradient is ", gradient.shape(),
        ". Hint: zero_grad() after a value of another shape was set.");
  if (leaf.grad.defined()) {
    accumulate(leaf.grad, std::move(gradient));
  } else {
    leaf.grad = sole_owner(gradient) ? std::move(gradient) : clone(gradient);
  }
}

// All nodes below root, the latest first: an op's id is above its inputs', so this order is topological.
std::vector<Node*> nodes_below(Node* root) {
  std::vector<Node*> found{root};
  std::unordered_set<Node*> seen{root};
  for (size_t i = 0; i < found.size(); ++i) {
    for (const Edge& edge : found[i]->inputs) {
      if (edge.node && seen.insert(edge.node.get()).second) found.push_back(edge.node.get());
    }
  }
  std::sort(found.begin(), found.end(), [](const Node* a, const Node* b) { return a->id > b->id; });
  return found;
}

void check_gradient(const Node& node, int i, const Tensor& gradient) {
  const Shape& wanted = node.inputs[i].shape;
  check(gradient.shape() == wanted, ErrorKind::kShape, node.name, "backward gave input ", i,
        " a gradient of another shape: gradient is ", gradient.shape(), ", input is ", wanted);
  check_finite(node.name, "gradient", gradient);
}

void run_node(Node& node, const Tensor& dy, bool retain_graph, std::unordered_map<Node*, Tensor>& slots) {
  check(!node.released, ErrorKind::kValue, node.name, "backward a second time: what this op saved was freed by the first. ",
        "Hint: backward({}, /*retain_graph=*/true) keeps it.");
  Grads d(node);
  {
    const RunningOp running(node.name);
    node.backward(dy, d);
  }
  // Counted before the gradients are handed on, timed after.
  const int64_t bytes = active_profile() ? gradient_bytes(dy, d) : 0;
  if (!retain_graph) node.backward = nullptr, node.released = true;  // frees what it saved, before the next op needs memory
  for (int i = 0; i < d.size(); ++i) {
    const Edge& edge = node.inputs[i];
    if (!edge.needed() || !d[i].defined()) continue;
    check_gradient(node, i, d[i]);
    if (edge.node) {
      accumulate(slots[edge.node.get()], std::move(d[i]));
    } else {
      accumulate_leaf(*edge.leaf, std::move(d[i]));
    }
  }
  if (Profile* profile = active_profile()) profile->lap(node.name, Pass::kBackward, bytes);
}

}  // namespace

const char* current_op() { return running_op; }

void run_backward(const Variable& root, const Tensor& dy, bool retain_graph) {
  const NoGradGuard no_grad;
  if (Profile* profile = active_profile()) profile->stop();
  if (root.is_leaf()) {
    accumulate_leaf(*root.meta(), Tensor(dy));
    return;
  }
  std::unordered_map<Node*, Tensor> slots;
  slots[root.node().get()] = dy;
  for (Node* node : nodes_below(root.node().get())) {
    const auto slot = slots.find(node);
    if (slot == slots.end()) continue;  // no gradient arrived: nothing flows on
    const Tensor gradient = std::move(slot->second);
    slots.erase(slot);
    run_node(*node, gradient, retain_graph, slots);
  }
}

}  // namespace vitrail
