#include "tensor/storage.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "tensor/error.h"

namespace vitrail {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kHugePage = int64_t{2} << 20;

// Blocks are rounded up so that freed ones fit again: to the alignment, and above 4 KiB to an eighth of the power of two below.
int64_t size_class(int64_t bytes) {
  if (bytes <= kAlignment) return kAlignment;
  const int64_t step = std::max(kAlignment, int64_t(std::bit_floor(uint64_t(bytes))) / 8);
  return (bytes + step - 1) / step * step;
}

void* system_allocate(int64_t bytes) {
  const bool huge = bytes >= kHugePage;
  void* data = nullptr;
  if (posix_memalign(&data, huge ? kHugePage : kAlignment, bytes) != 0) return nullptr;
  // Without huge pages the first write to a large block costs more than computing it; a refusal is no error.
  if (huge) madvise(data, bytes, MADV_HUGEPAGE);
  return data;
}

class Allocator {
 public:
  void* allocate(int64_t bytes) {
    // More than any machine has; and rounding up, or adding to live_bytes, must not overflow.
    check(bytes <= int64_t{1} << 60, ErrorKind::kMemory, "memory", "the system has no ", bytes, " bytes left");
    const int64_t size = size_class(bytes);
    std::lock_guard lock(mutex_);
    check(limit_ == 0 || stats_.live_bytes + size <= limit_, ErrorKind::kMemory, "memory", "over the memory limit: ", bytes,
          " bytes wanted, ", stats_.live_bytes, " in use, limit is ", limit_, ". Hint: a smaller batch needs less.");
    // Idle blocks count as well: they are given back rather than kept beyond the limit.
    if (limit_ != 0 && stats_.live_bytes + stats_.cached_bytes + size > limit_) empty_cache_locked();
    void* data = take_cached(size);
    if (!data) data = allocate_fresh(bytes, size);
    stats_.allocations += 1;
    stats_.live_bytes += size;
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
    return data;
  }

  void release(void* data, int64_t bytes) {
    const int64_t size = size_class(bytes);
    std::lock_guard lock(mutex_);
    stats_.live_bytes -= size;
    stats_.cached_bytes += size;
    free_[size].push_back(data);
  }

  void empty_cache() {
    std::lock_guard lock(mutex_);
    empty_cache_locked();
  }

  MemoryStats stats() {
    std::lock_guard lock(mutex_);
    return stats_;
  }

  void reset_peak() {
    std::lock_guard lock(mutex_);
    stats_.peak_bytes = stats_.live_bytes;
  }

  void set_limit(int64_t bytes) {
    std::lock_guard lock(mutex_);
    limit_ = bytes;
  }

 private:
  void* take_cached(int64_t size) {
    auto found = free_.find(size);
    if (found == free_.end() || found->second.empty()) return nullptr;
    void* data = found->second.back();
    found->second.pop_back();
    stats_.cached_bytes -= size;
    return data;
  }

  void* allocate_fresh(int64_t bytes, int64_t size) {
    void* data = system_allocate(size);
    if (!data) {
      empty_cache_locked();  // what lies idle may be just what is missing
      data = system_allocate(size);
    }
    check(data != nullptr, ErrorKind::kMemory, "memory", "the system has no ", bytes, " bytes left; ", stats_.live_bytes,
          " are in use. Hint: a smaller batch needs less.");
    stats_.system_allocations += 1;
    return data;
  }

  void empty_cache_locked() {
    for (auto& [size, blocks] : free_) {
      for (void* data : blocks) std::free(data);
      blocks.clear();
    }
    stats_.cached_bytes = 0;
  }

  std::mutex mutex_;
  std::unordered_map<int64_t, std::vector<void*>> free_;
  MemoryStats stats_;
  int64_t limit_ = 0;
};

// Never destroyed: tensors with static lifetime may outlive any order of destruction. Reachable to the end, so no leak.
Allocator& allocator() {
  static Allocator* instance = new Allocator;
  return *instance;
}

}  // namespace

MemoryStats memory_stats() { return allocator().stats(); }
void reset_peak_memory() { allocator().reset_peak(); }
void empty_memory_cache() { allocator().empty_cache(); }
void set_memory_limit(int64_t bytes) { allocator().set_limit(bytes); }

Storage::Storage(int64_t bytes) : data_(allocator().allocate(bytes)), bytes_(bytes) {}

Storage::~Storage() { allocator().release(data_, bytes_); }

}  // namespace vitrail
