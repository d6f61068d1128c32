#include "autograd/record.h"

#include <algorithm>
#include <atomic>

#include "autograd/engine.h"
#include "autograd/node.h"
#include "autograd/profile.h"

namespace vitrail {
namespace {

std::atomic<uint64_t> next_id{1};
thread_local detail::Witnesses* active_witnesses = nullptr;

Edge edge_to(const Variable& x) {
  // LAB 3.1 BEGIN  What Edge says of an input (node.h): its op, or itself if it is a leaf, or neither if it needs no gradient.
  Edge edge;
  edge.defined = x.defined();
  if (x.defined()) edge.shape = x.shape(), edge.dtype = x.dtype();
  if (!x.requires_grad()) return edge;
  if (x.node()) {
    edge.node = x.node();
  } else {
    edge.leaf = x.meta();
  }
  return edge;
  // LAB 3.1 END
}

template <class Inputs>
Variable record_inputs(const char* name, Tensor value, const Inputs& inputs, BackwardFn&& backward) {
  check(static_cast<bool>(backward), ErrorKind::kValue, name,
        "the backward function is empty. Hint: give record() a function of (const Tensor& dy, Grads& d).");
  check_finite(name, "value", value);
  if (Profile* profile = active_profile())
    profile->lap(name, Pass::kForward, detail::bytes_forward(value, std::data(inputs), inputs.size()));
  for (const Variable& x : inputs) {
    if (active_witnesses) active_witnesses->see(x);
  }
  // LAB 3.1 BEGIN  A constant, unless gradients are enabled and an input requires one: then a node with its edges.
  const auto required = [](const Variable& x) { return x.requires_grad(); };
  if (!grad_enabled() || std::none_of(inputs.begin(), inputs.end(), required)) return Variable(std::move(value));
  auto node = std::make_shared<Node>();
  node->name = name;
  node->id = next_id++;
  node->shape = value.shape();
  node->backward = std::move(backward);
  node->inputs.reserve(inputs.size());
  for (const Variable& x : inputs) node->inputs.push_back(edge_to(x));
  return Variable(std::move(value), std::move(node));
  // LAB 3.1 END
}

}  // namespace

Saved::Saved(Tensor x) : tensor_(std::move(x)), version_(tensor_.version()) {
  if (active_witnesses) active_witnesses->see(tensor_);
}

const Tensor& Saved::operator*() const {
  // LAB 3.1 BEGIN  The tensor, or an Error(kValue) if it was written to since it was saved: its version tells.
  check(tensor_.version() == version_, ErrorKind::kValue, current_op(),
        "a tensor that this op saved for its gradient was changed in place: shape is ", tensor_.shape(), ", version ",
        tensor_.version(), " instead of ", version_, ". Hint: change a clone(), or after backward().");
  return tensor_;
  // LAB 3.1 END
}

Grads::Grads(const Node& node) : node_(node), slots_(node.inputs.size()) {}

void Grads::check_index(int i) const {
  check(i >= 0 && i < size(), ErrorKind::kValue, node_.name, "the backward function uses d[", i, "], but the op has ", size(),
        " inputs. Hint: d[i] belongs to the i-th input given to record().");
}

bool Grads::needs(int i) const {
  check_index(i);
  return node_.inputs[i].needed();
}

Tensor& Grads::operator[](int i) {
  check_index(i);
  return slots_[i];
}

Tensor Grads::leaf_grad(int i) const {
  check_index(i);
  const std::shared_ptr<Meta>& leaf = node_.inputs[i].leaf;
  if (anomaly_mode() || !leaf || !leaf->grad.defined()) return {};
  const Tensor& grad = leaf->grad;
  return grad.storage().use_count() == 1 && grad.is_contiguous() ? grad : Tensor();
}

Variable record(const char* name, Tensor value, std::initializer_list<Variable> inputs, BackwardFn backward) {
  return record_inputs(name, std::move(value), inputs, std::move(backward));
}

Variable record(const char* name, Tensor value, const std::vector<Variable>& inputs, BackwardFn backward) {
  return record_inputs(name, std::move(value), inputs, std::move(backward));
}

namespace detail {

void Witnesses::see(const Variable& x) {
  if (!x.defined()) return;
  see(x.value());
  if (!x.is_leaf() || !x.requires_grad()) return;
  const bool known = std::any_of(leaves_.begin(), leaves_.end(), [&](const Leaf& l) { return l.meta.lock() == x.meta(); });
  if (!known) leaves_.push_back({x.meta(), x.value().storage().get()});
}

void Witnesses::see(const Tensor& x) {
  if (!x.defined()) return;
  const auto same = [&](const Memory& m) { return !m.storage.owner_before(x.storage()) && !x.storage().owner_before(m.storage); };
  if (std::none_of(memory_.begin(), memory_.end(), same)) memory_.push_back({x.storage()});
}

void Witnesses::close() {
  std::erase_if(memory_, [](const Memory& m) { return m.storage.expired(); });
  std::erase_if(leaves_, [](const Leaf& l) { return l.meta.expired(); });
  for (Memory& m : memory_)
    if (const std::shared_ptr<Storage> storage = m.storage.lock()) m.version = storage->version();
}

void Witnesses::check_unchanged() const {
  for (const Memory& m : memory_) {
    const std::shared_ptr<Storage> storage = m.storage.lock();
    check(!storage || storage->version() == m.version, ErrorKind::kValue, "checkpoint",
          "a tensor that the checkpointed part reads was changed in place between its forward pass and its recomputation: ",
          "version ", storage ? storage->version() : 0, " instead of ", m.version,
          ". Hint: change a clone(), or after backward().");
  }
  for (const Leaf& l : leaves_) {
    const std::shared_ptr<Meta> meta = l.meta.lock();
    check(!meta || meta->value.storage().get() == l.storage, ErrorKind::kValue, "checkpoint",
          "a parameter of the checkpointed part got another value between its forward pass and its recomputation: shape is ",
          meta ? meta->value.shape() : Shape{}, ". Hint: step the optimiser after backward().");
  }
}

WitnessScope::WitnessScope(Witnesses& witnesses) : before_(active_witnesses) { active_witnesses = &witnesses; }
WitnessScope::~WitnessScope() { active_witnesses = before_; }

}  // namespace detail
}  // namespace vitrail
