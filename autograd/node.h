// How an op enters the graph: record(). autograd/ops/elementwise.cpp shows the pattern.
#pragma once

#include <functional>
#include <initializer_list>
#include <vector>

#include "autograd/variable.h"

namespace vitrail {

// A tensor kept for the backward pass. Remembers the storage's version; reading it after an in-place write throws
// Error(kValue) that names the op, because the gradient would be wrong without a sign.
class Saved {
 public:
  Saved() = default;
  Saved(const Variable& x) : Saved(x.defined() ? x.value() : Tensor()) {}  // NOLINT
  Saved(Tensor x) : tensor_(std::move(x)), version_(tensor_.version()) {}  // NOLINT
  const Tensor& operator*() const;
  const Tensor* operator->() const { return &**this; }

 private:
  Tensor tensor_;
  uint64_t version_ = 0;
};

// The gradients that a backward function fills in: d[i] for input i, wanted only where d.needs(i).
class Grads {
 public:
  explicit Grads(const Node& node);
  bool needs(int i) const;
  Tensor& operator[](int i) { return slots_[i]; }
  // The gradient that leaf i has already, if it may be added to in place (contiguous, and nobody else's memory); else
  // undefined. Who adds to it leaves d[i] undefined. In anomaly mode always undefined, so that every gradient is looked at.
  Tensor leaf_grad(int i) const;
  int size() const { return static_cast<int>(slots_.size()); }

 private:
  const Node& node_;
  std::vector<Tensor> slots_;
};

// dy comes in, the gradients of the inputs go out. Captures Saved, Tensor or plain values, never a Variable: so a cycle
// cannot be written. A gradient handed out may share memory with dy; the engine never writes into it.
using BackwardFn = std::function<void(const Tensor& dy, Grads& d)>;

// Where the gradient of an input goes: to the op that computed it, or to the leaf that it is. Both null: it needs none.
// An edge does not hold the input's value; only what the backward function captured stays alive.
struct Edge {
  std::shared_ptr<Node> node;
  std::shared_ptr<Meta> leaf;
  Shape shape;  // of the input, and so of its gradient
  bool needed() const { return node || leaf; }
};

// One op in the graph.
struct Node {
  const char* name = "";
  uint64_t id = 0;  // counts up: an op's id is above its inputs' ids
  std::vector<Edge> inputs;
  Shape shape;          // of the output
  BackwardFn backward;  // empty once it has run without retain_graph
  bool released = false;

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();  // iterative: a chain of a million nodes is destroyed under a small stack
};

// Wraps the result of an op: remembers `inputs` and `backward` if gradients are on and an input needs one, else a constant.
// `name` must be a string literal.
Variable record(const char* name, Tensor value, std::initializer_list<Variable> inputs, BackwardFn backward);
Variable record(const char* name, Tensor value, const std::vector<Variable>& inputs, BackwardFn backward);

// ---- modes, per thread ----

bool grad_enabled();
// No op is recorded while one lives.
class NoGradGuard {
 public:
  NoGradGuard();
  ~NoGradGuard();
  NoGradGuard(const NoGradGuard&) = delete;
  NoGradGuard& operator=(const NoGradGuard&) = delete;

 private:
  bool before_;
};
// Records although a NoGradGuard lives (checkpoint's recomputation).
class EnableGradGuard {
 public:
  EnableGradGuard();
  ~EnableGradGuard();
  EnableGradGuard(const EnableGradGuard&) = delete;
  EnableGradGuard& operator=(const EnableGradGuard&) = delete;

 private:
  bool before_;
};
// While on, the first op whose value or gradient holds a NaN or infinity throws Error(kNumeric) that names it. Costs a pass
// over every result.
void set_anomaly_mode(bool on);
bool anomaly_mode();
// In anomaly mode: Error(kNumeric) naming op, what and place if x holds a NaN or infinity. Else nothing.
void check_finite(const char* op, const char* what, const Tensor& x);

// The graph below `root` in Graphviz DOT: ops as boxes with their output shapes, leaves as ellipses.
std::string to_dot(const Variable& root);

}  // namespace vitrail
