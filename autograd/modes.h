// What is on or off for the ops that this thread calls: recording, anomaly mode, and whether a part of the graph is being
// computed a second time.
#pragma once

#include <cstddef>
#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

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

// While on (for all threads), the first op whose value or gradient holds a NaN or infinity throws Error(kNumeric) that names
// it. Costs a pass over every result.
void set_anomaly_mode(bool on);
bool anomaly_mode();
// In anomaly mode: Error(kNumeric) naming op, what and place if x holds a NaN or infinity. Else nothing.
void check_finite(const char* op, const char* what, const Tensor& x);

// ---- recomputation (autograd/checkpoint.h) ----

// True while a checkpoint computes its part of the graph again, for the backward pass. An op that changes state beside its
// result (batch norm's running statistics) must not do so a second time.
bool recomputing();
// A mode that an op or a layer is about to act on (training or not, for example), as it must be seen. Outside a checkpoint
// that is `now`. Inside one, the forward pass notes what it saw, and the recomputation gets the same answers in the same order,
// whatever has been switched since. Error(kValue) if the recomputation asks more often than the forward pass did.
bool replayed(bool now);

namespace detail {

// The answers of replayed() in one checkpointed forward pass.
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

// Notes the answers on the tape, or replays them from its start, for as long as it lives.
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
