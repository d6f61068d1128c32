#include "autograd/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "autograd/node.h"
#include "tensor/machine/parallel.h"
#include "tensor/plain.h"
#include "tensor/precision.h"
#include "tensor/rng.h"

namespace vitrail {
namespace {

// The deepest nesting of checkpoints. Each level uses stack in the forward pass and in backward; this many fit into 1 MB.
constexpr int kDeepest = 64;
thread_local int depth = 0;

struct Deeper {
  Deeper() {
    check(depth < kDeepest, ErrorKind::kValue, "checkpoint", "checkpoints are nested more than ", kDeepest,
          " deep. Hint: call them one after the other; one level inside another is what saves more memory.");
    ++depth;
  }
  ~Deeper() { --depth; }
};

// Sets default_rng() to an earlier state for the length of a scope.
struct RewoundRng {
  explicit RewoundRng(const Rng& then) : now(default_rng()) { default_rng() = then; }
  ~RewoundRng() { default_rng() = now; }
  Rng now;
};

// A checksum of all bits of x: FNV-1a over words of eight bytes, chunk by chunk.
uint64_t fingerprint(const Tensor& x) {
  constexpr uint64_t kStart = 14695981039346656037U, kPrime = 1099511628211U;
  const Tensor y = contiguous(x);
  const int64_t item = size_of(y.dtype()), bytes = y.numel() * item;
  const auto* data = static_cast<const char*>(y.storage()->data()) + y.offset() * item;
  return parallel_reduce<uint64_t>((bytes + 7) / 8, kElementwiseGrain, kStart,
                                   [&](int64_t begin, int64_t end) {
                                     uint64_t hash = kStart;
                                     for (int64_t i = begin; i < end; ++i) {
                                       uint64_t word = 0;
                                       std::memcpy(&word, data + i * 8,
                                                   static_cast<size_t>(std::min<int64_t>(8, bytes - i * 8)));
                                       hash = (hash ^ word) * kPrime;
                                       hash ^= hash >> 32;
                                     }
                                     return hash;
                                   },
                                   [](uint64_t a, uint64_t b) { return (a ^ b) * kPrime; });
}

// A part of the graph that will be computed again, with the state that its forward pass depended on.
struct Part {
  std::function<Variable(const Variable&)> fn;
  Rng rng;
  Precision precision;
  uint32_t plain_ops;
  detail::ModeTape modes;
  detail::Witnesses witnesses;
  uint64_t value_fingerprint = 0;

  Tensor forward(const Variable& x) {
    Tensor value;
    {
      // LAB 10.6 BEGIN  fn(x) without a graph, under a TapeScope of `modes` (not replaying) and a WitnessScope.
      const NoGradGuard no_grad;
      const detail::TapeScope noting(modes, /*replaying=*/false);
      const detail::WitnessScope witnessing(witnesses);
      value = fn(x).value();
      // LAB 10.6 END
    }
    witnesses.close();
    value_fingerprint = fingerprint(value);
    return value;
  }

  Variable recompute(const Variable& x) {
    witnesses.check_unchanged();
    Variable y;
    {
      // LAB 10.6 BEGIN  y = fn(x) with a graph, under RewoundRng, PrecisionGuard, PlainGuard and a TapeScope that replays.
      const RewoundRng rewound(rng);
      const PrecisionGuard as_before(precision);
      const PlainGuard plain_as_before(plain_ops);
      const EnableGradGuard enable_grad;
      const detail::TapeScope replaying(modes, /*replaying=*/true);
      y = fn(x);
      // LAB 10.6 END
    }
    check(fingerprint(y.value()) == value_fingerprint, ErrorKind::kValue, "checkpoint",
          "the recomputation gave other bits than the forward pass: the value is ", y.shape(),
          ". Hint: its function must depend on nothing but its argument, parameters and default_rng(), ",
          "and none of them may change before backward().");
    return y;
  }
};

}  // namespace

Variable checkpoint(const std::function<Variable(const Variable&)>& fn, const Variable& x) {
  check(static_cast<bool>(fn), ErrorKind::kValue, "checkpoint", "the function is empty");
  const Deeper deeper;
  if (!grad_enabled()) return fn(x);
  const auto part = std::make_shared<Part>(Part{fn, default_rng(), product_precision(), guarded_plain_ops(), {}, {}});
  const Tensor value = part->forward(x);
  // The parameters inside fn may need gradients even if x does not. This second input then makes record() add the op to the
  // graph.
  const Variable anchor(zeros({}, value.dtype()), true);
  const Variable y = record("checkpoint", value, {x, anchor}, [part, xv = Saved(x)](const Tensor& dy, Grads& d) {
    const Deeper deeper_again;
    // LAB 10.6 BEGIN  Run it again on a leaf and go backward from there with dy; what the leaf then holds is the gradient of x.
    const Variable input(*xv, d.needs(0));
    const Variable output = part->recompute(input);
    if (output.requires_grad()) output.backward(dy);
    if (d.needs(0)) d[0] = input.grad();
    // LAB 10.6 END
  });
  y.node()->inputs.pop_back();  // only record() needed it: the engine must not see it
  for (const auto& leaf : part->witnesses.leaves()) y.node()->inner_leaves.push_back(leaf.meta);
  return y;
}

}  // namespace vitrail
