// Where the time of a step goes: by op, forward and backward.
//
//   Profile profile;                     // watches this thread for as long as it lives
//   ... forward, backward, optimiser ...
//   profile.stop();
//   for (const ProfileEntry& e : profile.entries()) ...
//
// It works as a stopwatch with laps: an op ends a lap in record(), a node when the engine has run it, a ProfileScope at its
// end. A lap is added to the entry of the op or scope that ends it, so no time is counted twice or lost, and the entries add up
// to the time watched. Without a Profile this costs one test of a pointer per op.
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
  int64_t flops = 0;  // of matrix products (tensor/machine/flops.h); backward includes the additions of gradients
  // A lower bound of the memory traffic: inputs and output in forward, dy and the gradients in backward (without saved
  // tensors). 0 for a view.
  int64_t bytes = 0;
};

class Profile {
 public:
  // Starts watching. A Profile that already watches this thread pauses until this one is gone.
  Profile();
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  // Ends a lap and adds it to the entry of `name`.
  void lap(const char* name, Pass pass, int64_t bytes = 0);
  // Adds the time since the last lap to "other". The profile goes on watching: call this at the end of every step.
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

// Measures a block that is not an op (an optimiser's step, a loader). The time before it since the last lap is added to
// "other".
class ProfileScope {
 public:
  explicit ProfileScope(const char* name);
  ~ProfileScope();
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;
  // Adds to the bytes of the entry: the least that the block must read and write.
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
// Bytes of dy and of the gradients; one that shares memory with dy is not counted.
int64_t gradient_bytes(const Tensor& dy, Grads& d);

}  // namespace vitrail
