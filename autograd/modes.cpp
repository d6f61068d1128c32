#include "autograd/modes.h"

#include <cmath>

#include "tensor/machine/parallel.h"

namespace vitrail {
namespace {

thread_local bool grad_mode = true;
thread_local bool recompute_mode = false;
thread_local detail::ModeTape* active_tape = nullptr;
thread_local bool anomaly = false;

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

}  // namespace

bool grad_enabled() { return grad_mode; }

NoGradGuard::NoGradGuard() : before_(grad_mode) { grad_mode = false; }
NoGradGuard::~NoGradGuard() { grad_mode = before_; }
EnableGradGuard::EnableGradGuard() : before_(grad_mode) { grad_mode = true; }
EnableGradGuard::~EnableGradGuard() { grad_mode = before_; }

AnomalyGuard::AnomalyGuard() : before_(anomaly) { anomaly = true; }
AnomalyGuard::~AnomalyGuard() { anomaly = before_; }
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

bool recomputing() { return recompute_mode; }

bool replayed(bool now) { return active_tape ? active_tape->pass(now) : now; }

namespace detail {

bool ModeTape::pass(bool now) {
  if (!replaying_) {
    // A checkpoint inside another one that is being recomputed gets the modes of the outer forward pass.
    if (outer_) now = outer_->pass(now);
    answers_.push_back(now);
    return now;
  }
  check(next_ < answers_.size(), ErrorKind::kValue, "checkpoint",
        "the recomputation asks for more modes than the forward pass did (", answers_.size(), "). Hint: the function of a ",
        "checkpoint must take the same path each time it is called.");
  return answers_[next_++];
}

TapeScope::TapeScope(ModeTape& tape, bool replaying) : before_(active_tape), recomputing_before_(recompute_mode) {
  tape.replaying_ = replaying;
  tape.next_ = 0;
  tape.outer_ = active_tape;
  active_tape = &tape;
  recompute_mode = recompute_mode || replaying;
}

TapeScope::~TapeScope() {
  active_tape = before_;
  recompute_mode = recomputing_before_;
}

}  // namespace detail
}  // namespace vitrail
