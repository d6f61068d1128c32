// The processors and the memory that the control groups of this process allow. In a container, sysconf and sched_getaffinity
// report the whole machine, but the kernel enforces the limits of the groups.
#pragma once

#include <cstdint>
#include <string>

namespace vitrail {

// The tightest limit of the process's own group and of every group above it; 0 means no limit.
struct ContainerLimits {
  int64_t memory_bytes = 0;  // memory.max (v2), memory.limit_in_bytes (v1)
  double processors = 0;     // quota / period of cpu.max (v2), cpu.cfs_quota_us and cpu.cfs_period_us (v1)
};

// Reads ROOT/proc/self/cgroup, ROOT/proc/self/mountinfo and the files that they name, for version 1 and 2 of control groups. A
// file that cannot be read or parsed sets no limit. `root` is for tests; empty means the real file system.
ContainerLimits container_limits(const std::string& root = "");

// The default number of threads: at most `available`, and at most the groups' processors, rounded up, since with 1.5 processors
// a second thread still helps. At least 1.
int threads_for(const ContainerLimits& limits, int available);

}  // namespace vitrail
