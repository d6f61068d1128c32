// The modes of the ops that this thread calls: recording, anomaly mode, and recomputation by a checkpoint.
#pragma once

#include <cstddef>
#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

bool grad_enabled();
// No op is recorded on this thread while one exists.
class NoGradGuard {
 public:
  NoGradGuard();
  ~NoGradGuard();
  NoGradGuard(const NoGradGuard&) = delete;
  NoGradGuard& operator=(const NoGradGuard&) = delete;

 private:
  bool before_;
};
// Records ops even inside a NoGradGuard. A checkpoint uses it for its recomputation.
class EnableGradGuard {
 public:
  EnableGradGuard();
  ~EnableGradGuard();
  EnableGradGuard(const EnableGradGuard&) = delete;
  EnableGradGuard& operator=(const EnableGradGuard&) = delete;

 private:
  bool before_;
};

// While one exists on this thread, the first op whose value or gradient holds a NaN or infinity throws Error(kNumeric) that
// names it. Costs a pass over every result.
class AnomalyGuard {
 public:
  AnomalyGuard();
  ~AnomalyGuard();
  AnomalyGuard(const AnomalyGuard&) = delete;
  AnomalyGuard& operator=(const AnomalyGuard&) = delete;

 private:
  bool before_;
};
bool anomaly_mode();
// In anomaly mode: Error(kNumeric) naming op, what and place if x holds a NaN or infinity. Else nothing.
void check_finite(const char* op, const char* what, const Tensor& x);

// ---- recomputation (autograd/checkpoint.h) ----

// True while a checkpoint recomputes its part of the graph in the backward pass. An op with side effects (batch norm's running
// statistics) must not repeat them then.
bool recomputing();
// The value of a mode (training or not, for example) that an op or a layer must use; `now` is its present value. Outside a
// checkpoint this returns `now`. Inside one, the forward pass records the values, and the recomputation gets the same values in
// the same order, even if the mode has changed since. Error(kValue) if the recomputation calls this more often than the forward
// pass did.
bool replayed(bool now);

namespace detail {

// The results of replayed() in one checkpointed forward pass.
class ModeTape {
 public:
  bool pass(bool now);

 private:
  friend class TapeScope;
  std::vector<bool> answers_;
  size_t next_ = 0;
  bool replaying_ = false;
  ModeTape* outer_ = nullptr;
};

// Records the results of replayed() on the tape, or replays them from its start, for the length of a scope.
class TapeScope {
 public:
  TapeScope(ModeTape& tape, bool replaying);
  ~TapeScope();
  TapeScope(const TapeScope&) = delete;
  TapeScope& operator=(const TapeScope&) = delete;

 private:
  ModeTape* before_;
  bool recomputing_before_;
};

}  // namespace detail
}  // namespace vitrail
