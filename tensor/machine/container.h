// What the control groups of this process allow: processors and memory. A container has the machine's /proc, so the numbers
// that sysconf and sched_getaffinity give are the machine's; the kernel enforces those of the groups.
#pragma once

#include <cstdint>
#include <string>

namespace vitrail {

// The tightest limit of the process's own group and of every group above it; 0 where no group limits.
struct ContainerLimits {
  int64_t memory_bytes = 0;  // memory.max (v2), memory.limit_in_bytes (v1)
  double processors = 0;     // quota / period of cpu.max (v2), cpu.cfs_quota_us and cpu.cfs_period_us (v1)
};

// Reads ROOT/proc/self/cgroup, ROOT/proc/self/mountinfo and the files that they lead to, for version 1 and 2 of control groups.
// What cannot be read or parsed is no limit. `root` is for tests; empty means the real file system.
ContainerLimits container_limits(const std::string& root = "");

// The threads to start with: at most `available`, and at most the groups' processors, rounded up: with 1.5 processors a second
// thread is still of use. At least 1.
int threads_for(const ContainerLimits& limits, int available);

}  // namespace vitrail
