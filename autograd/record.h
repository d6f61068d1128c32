// How an op enters the graph: record(), with the function that computes the gradients of its inputs.
//
//   Variable square(const Variable& x) {
//     return record("square", square(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy * *xv * 2; });
//   }
#pragma once

#include <functional>
#include <initializer_list>
#include <vector>

#include "autograd/modes.h"
#include "autograd/variable.h"

namespace vitrail {

// A tensor kept for the backward pass. Remembers the storage's version; reading it after an in-place write throws
// Error(kValue) that names the op, because the gradient would be wrong without a sign. Every tensor that a backward function
// reads is captured as Saved; one that it may write to or hand out as it is must have been made by the op itself.
class Saved {
 public:
  Saved() = default;
  Saved(const Variable& x) : Saved(x.defined() ? x.value() : Tensor()) {}  // NOLINT
  Saved(Tensor x);                                                         // NOLINT
  const Tensor& operator*() const;
  const Tensor* operator->() const { return &**this; }

 private:
  Tensor tensor_;
  uint64_t version_ = 0;
};

// The gradients that a backward function fills in: d[i] for input i, wanted only where d.needs(i). Error(kValue) for an i
// that is no input.
class Grads {
 public:
  explicit Grads(const Node& node);
  bool needs(int i) const;
  Tensor& operator[](int i);
  // The gradient that leaf i has already, if it may be added to in place (contiguous, and its memory not shared); else
  // undefined. Who adds to it leaves d[i] undefined. In anomaly mode always undefined, so that every gradient is looked at.
  Tensor leaf_grad(int i) const;
  int size() const { return static_cast<int>(slots_.size()); }

 private:
  void check_index(int i) const;

  const Node& node_;
  std::vector<Tensor> slots_;
};

// dy comes in, the gradients of the inputs go out. Captures Saved or plain values, never a Variable: so a cycle cannot be
// written. A gradient handed out may share memory with dy; the engine never writes into it.
using BackwardFn = std::function<void(const Tensor& dy, Grads& d)>;

// Wraps the result of an op: remembers `inputs` and `backward` if gradients are on and an input needs one, else a constant.
// `name` must be a string literal. Error(kValue) if `backward` is empty.
Variable record(const char* name, Tensor value, std::initializer_list<Variable> inputs, BackwardFn backward);
Variable record(const char* name, Tensor value, const std::vector<Variable>& inputs, BackwardFn backward);

namespace detail {

// What a checkpointed forward pass read: the memory (weakly held, with its version) and the leaves that require a gradient.
class Witnesses {
 public:
  void see(const Variable& x);
  void see(const Tensor& x);
  // To be called when the forward pass has ended: forgets what is already freed, and takes the versions.
  void close();
  // Error(kValue) if memory that still lives was written to since, or a leaf got another value.
  void check_unchanged() const;

  struct Leaf {
    std::weak_ptr<Meta> meta;
    const Storage* storage;
  };
  const std::vector<Leaf>& leaves() const { return leaves_; }

 private:
  struct Memory {
    std::weak_ptr<Storage> storage;
    uint64_t version = 0;
  };
  std::vector<Memory> memory_;
  std::vector<Leaf> leaves_;
};

// Collects what record() and Saved see on this thread, for as long as it lives.
class WitnessScope {
 public:
  explicit WitnessScope(Witnesses& witnesses);
  ~WitnessScope();
  WitnessScope(const WitnessScope&) = delete;
  WitnessScope& operator=(const WitnessScope&) = delete;

 private:
  Witnesses* before_;
};

}  // namespace detail
}  // namespace vitrail
