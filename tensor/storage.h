// Memory: reference-counted blocks from a caching allocator.
//
// A fresh 20 MB block costs more in page faults than the arithmetic done on it, so freed memory is kept and reused: small
// blocks by size class, large ones cut from regions (tensor/machine/region_allocator.h). The counters below are read by tests
// and benchmarks.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace vitrail {

struct MemoryStats {
  int64_t live_bytes = 0;          // in tensors now, counting the full size of their blocks
  int64_t peak_bytes = 0;          // highest live_bytes since start or reset_peak_memory()
  int64_t cached_bytes = 0;        // idle memory kept for reuse
  int64_t allocations = 0;         // blocks allocated for tensors since start
  int64_t system_allocations = 0;  // of those, how many had to come from the system
};

MemoryStats memory_stats();
void reset_peak_memory();
// Gives idle memory back to the system, except for parts of huge pages (2 MiB) that live blocks still use.
void empty_memory_cache();
// Allocations that would lift live_bytes above the limit throw Error(kMemory). 0 = no limit (the default).
void set_memory_limit(int64_t bytes);

// One block, 64-byte aligned, in huge pages if it is large. Shared by all views of a tensor.
class Storage {
 public:
  // Uninitialised memory. Throws Error(kMemory) naming the size if the system refuses or the limit would be passed.
  explicit Storage(int64_t bytes);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

  // Raised by every in-place write through any view. Saved (autograd) compares it.
  uint64_t version() const { return version_.load(std::memory_order_relaxed); }
  void bump_version() {
    version_.fetch_add(1, std::memory_order_relaxed);
    if (has_derived_.load(std::memory_order_acquire)) set_derived(nullptr);
  }

  // An object computed from these bytes and cached until they change: linear layers keep their packed weight here. Null if
  // there is none. The next in-place write drops it, and so does the destructor. Thread-safe.
  std::shared_ptr<const void> derived() const;
  void set_derived(std::shared_ptr<const void> data);

 private:
  void* data_ = nullptr;
  int64_t bytes_ = 0;
  std::atomic<uint64_t> version_{0};
  std::atomic<bool> has_derived_{false};  // so that a write needs no lock when nothing is cached
  std::shared_ptr<const void> derived_;
};

}  // namespace vitrail
