#include "autograd/engine.h"

#include <unordered_map>
#include <utility>

#include "autograd/node.h"
#include "autograd/profile.h"
#include "tensor/ops/elementwise.h"

namespace vitrail {
namespace {

thread_local const char* running_op = "";
thread_local int passes_running = 0;  // above 1 inside a checkpoint's recomputation
thread_local GradientObserver observer;

struct RunningOp {
  explicit RunningOp(const char* name) : before(running_op) { running_op = name; }
  ~RunningOp() { running_op = before; }
  const char* before;
};

// True if no other tensor shares this memory, so that it may be written to.
bool sole_owner(const Tensor& x) { return x.storage().use_count() == 1 && x.is_contiguous(); }

// Adds a gradient to a slot. The first is held by reference and never written to while anyone else holds it: in (a + b) + a,
// a and b receive the very same dy, and adding into it would give b a gradient of two.
void accumulate(Tensor& slot, Tensor&& gradient) {
  // LAB 3.3 BEGIN  The first gradient becomes the slot. A further one is added, but never into memory that others share.
  if (!slot.defined()) {
    slot = std::move(gradient);
  } else if (sole_owner(slot)) {
    add_(slot, gradient);
  } else {
    slot = add(slot, gradient);
  }
  // LAB 3.3 END
}

// The grad of a leaf outlives the pass, so it never shares memory with another tensor.
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

// The gradient of a value stored in bf16 may be bf16 or f32.
bool dtype_fits(Dtype gradient, Dtype input) { return gradient == input || (input == Dtype::bf16 && gradient == Dtype::f32); }

void check_gradient(const Node& node, int i, const Tensor& gradient) {
  const Edge& edge = node.inputs[i];
  check(gradient.shape() == edge.shape, ErrorKind::kShape, node.name, "backward gave input ", i,
        " a gradient of another shape: gradient is ", gradient.shape(), ", input is ", edge.shape);
  check(dtype_fits(gradient.dtype(), edge.dtype), ErrorKind::kValue, node.name, "backward gave input ", i,
        " a gradient of another dtype: gradient is ", name_of(gradient.dtype()), ", input is ", name_of(edge.dtype),
        ". Hint: convert it with to(gradient, dtype).");
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
  // The bytes are counted before the gradients are moved away; the time is taken after.
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

// Finds the node of a pass after which the gradient of each leaf is complete, and calls the observer then.
class Readiness {
 public:
  // `order`: the result of nodes_below(). The last node in it that has a leaf as input is the last to add to its gradient.
  explicit Readiness(const std::vector<Node*>& order) {
    if (!observer || passes_running > 1) return;
    for (Node* node : order) {
      for (const std::shared_ptr<Meta>& leaf : leaves_of(*node)) last_[leaf.get()] = node;
    }
  }
  // Must be called before the node runs, since running the node releases its leaves.
  std::vector<std::shared_ptr<Meta>> ready_after(const Node& node) {
    std::vector<std::shared_ptr<Meta>> ready;
    if (last_.empty()) return ready;
    for (const std::shared_ptr<Meta>& leaf : leaves_of(node)) {
      const auto at = last_.find(leaf.get());
      if (at == last_.end() || at->second != &node) continue;
      last_.erase(at);  // reports a leaf once, even if it is two inputs of the node
      ready.push_back(leaf);
    }
    return ready;
  }

 private:
  static std::vector<std::shared_ptr<Meta>> leaves_of(const Node& node) {
    std::vector<std::shared_ptr<Meta>> leaves;
    for (const Edge& edge : node.inputs) {
      if (edge.leaf) leaves.push_back(edge.leaf);
    }
    for (const std::weak_ptr<Meta>& inner : node.inner_leaves) {
      if (std::shared_ptr<Meta> leaf = inner.lock()) leaves.push_back(std::move(leaf));
    }
    return leaves;
  }

  std::unordered_map<Meta*, const Node*> last_;
};

void tell_observer(const std::vector<std::shared_ptr<Meta>>& leaves) {
  for (const std::shared_ptr<Meta>& leaf : leaves) observer(Variable(leaf));
}

struct RunningPass {
  RunningPass() { ++passes_running; }
  ~RunningPass() { --passes_running; }
};

}  // namespace

GradientObserverGuard::GradientObserverGuard(GradientObserver now) : before_(std::exchange(observer, std::move(now))) {}
GradientObserverGuard::~GradientObserverGuard() { observer = std::move(before_); }

const char* current_op() { return running_op; }

void run_backward(const Variable& root, const Tensor& dy, bool retain_graph) {
  const NoGradGuard no_grad;
  if (Profile* profile = active_profile()) profile->stop();
  const RunningPass running;
  if (root.is_leaf()) {
    accumulate_leaf(*root.meta(), Tensor(dy));
    if (observer && passes_running == 1) tell_observer({root.meta()});
    return;
  }
  const std::vector<Node*> order = nodes_below(root.node().get());
  Readiness readiness(order);
  // LAB 3.3 BEGIN  dy is the root's gradient. Run each node of `order` that has one; tell_observer() after each node.
  std::unordered_map<Node*, Tensor> slots;  // the gradients of results whose ops are still to run
  slots[root.node().get()] = dy;
  for (Node* node : order) {
    const std::vector<std::shared_ptr<Meta>> ready = readiness.ready_after(*node);
    const auto slot = slots.find(node);
    if (slot != slots.end()) {  // else no gradient reached this node
      const Tensor gradient = std::move(slot->second);
      slots.erase(slot);
      run_node(*node, gradient, retain_graph, slots);
    }
    tell_observer(ready);
  }
  // LAB 3.3 END
}

}  // namespace vitrail
