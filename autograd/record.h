// How an op is added to the graph: record() takes the op's value and the function that computes the gradients of its inputs.
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

// A tensor kept for the backward pass. Remembers the storage's version; reading it after an in-place write throws Error(kValue)
// that names the op, because the gradient would be silently wrong. A backward function captures every tensor that it reads as
// Saved. It may write to a captured tensor, or return one as a gradient, only if the op itself has created it.
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

// The gradients that a backward function fills in: d[i] for input i, which is wanted only if d.needs(i). Error(kValue) if i is
// not an input.
class Grads {
 public:
  explicit Grads(const Node& node);
  bool needs(int i) const;
  Tensor& operator[](int i);
  // The existing gradient of input i, if that is a leaf whose gradient may be added to in place (contiguous, memory not
  // shared); else undefined. A backward function that adds to it leaves d[i] undefined. Always undefined in anomaly mode, so
  // that every gradient is checked.
  Tensor leaf_grad(int i) const;
  int size() const { return static_cast<int>(slots_.size()); }

 private:
  void check_index(int i) const;

  const Node& node_;
  std::vector<Tensor> slots_;
};

// Takes dy and sets the gradients of the inputs. Captures Saved or plain values, never a Variable, so that no reference cycle
// can arise. A gradient may share memory with dy; the engine does not write into it.
using BackwardFn = std::function<void(const Tensor& dy, Grads& d)>;

// Makes a Variable of the result of an op. If gradients are enabled and an input requires one, it adds a node with `inputs` and
// `backward` to the graph; else the result is a constant. `name` must be a string literal. Error(kValue) if `backward` is
// empty.
Variable record(const char* name, Tensor value, std::initializer_list<Variable> inputs, BackwardFn backward);
Variable record(const char* name, Tensor value, const std::vector<Variable>& inputs, BackwardFn backward);

namespace detail {

// What a checkpointed forward pass has read: storages (weak references, with their versions) and leaves that require a
// gradient.
class Witnesses {
 public:
  void see(const Variable& x);
  void see(const Tensor& x);
  // Call it at the end of the forward pass: it drops storages that are already freed, and notes the versions of the others.
  void close();
  // Error(kValue) if a storage that still exists was written to since, or a leaf got another value.
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

// Collects the tensors that record() and Saved are called with on this thread, for the length of a scope.
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
