// Where the time of a step goes: by op, forward and backward.
//
//   Profile profile;                     // watches this thread for as long as it lives
//   ... forward, backward, optimiser ...
//   profile.stop();
//   for (const ProfileEntry& e : profile.entries()) ...
//
// A stopwatch with laps: each op ends a lap in record(), each node ends one when the engine has run it, each ProfileScope ends
// one. A lap belongs to who ends it, so no time is counted twice and none is lost: the entries add up to the time watched.
// Without a Profile all of that costs one test of a pointer.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace vitrail {

struct Node;
class Grads;

enum class Pass { kForward, kBackward, kOther };
// "forward", "backward", "other"
const char* name_of(Pass pass);

struct ProfileEntry {
  std::string name;  // of the op or scope
  Pass pass = Pass::kOther;
  int64_t calls = 0;
  double seconds = 0;
  int64_t flops = 0;  // of matrix products (tensor/machine/flops.h); in backward with the additions of gradients that meet
  // The least that must move: inputs and output forward, dy and the gradients backward (what backward saved is not counted).
  // Nothing for a view.
  int64_t bytes = 0;
};

class Profile {
 public:
  // Starts watching. A Profile that already watches this thread pauses until this one is gone.
  Profile();
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  // Ends a lap that belongs to `name`.
  void lap(const char* name, Pass pass, int64_t bytes = 0);
  // What no op has claimed since the last lap becomes "other". Watching goes on: call it at the end of every step.
  void stop() { lap("other", Pass::kOther); }
  // In the order in which they first occurred.
  const std::vector<ProfileEntry>& entries() const { return entries_; }
  double total_seconds() const;

 private:
  using Clock = std::chrono::steady_clock;
  std::vector<ProfileEntry> entries_;
  Clock::time_point lap_start_;
  int64_t flops_start_ = 0;
  Profile* before_ = nullptr;
};

// The time of a block that is no op (an optimiser's step, a loader): what came before it becomes "other".
class ProfileScope {
 public:
  explicit ProfileScope(const char* name);
  ~ProfileScope();
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;
  // What the block must at least move; for the entry's bytes.
  void add_bytes(int64_t bytes) { bytes_ += bytes; }

 private:
  const char* name_;
  int64_t bytes_ = 0;
};

// ---- for record() and the engine ----

namespace detail {

extern constinit thread_local Profile* active_profile;
int64_t bytes_forward(const Tensor& value, const Variable* inputs, size_t count);

}  // namespace detail

// The profile that watches this thread, or null.
inline Profile* active_profile() { return detail::active_profile; }
// Bytes of dy and of the gradients; one that shares dy's memory is free.
int64_t gradient_bytes(const Tensor& dy, Grads& d);

}  // namespace vitrail
