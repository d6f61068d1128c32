#include "tensor/storage.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/divide.h"
#include "base/error.h"
#include "tensor/machine/region_allocator.h"

namespace vitrail {
namespace {

constexpr int64_t kAlignment = 64;
// Blocks of so many bytes and more come from regions, where freed memory serves other sizes. Smaller ones are many and must be
// fast, and what their size classes keep idle is little.
constexpr int64_t kLarge = int64_t{256} << 10;

// What a block takes. Small ones are rounded up so that freed ones fit again: to the alignment, and above 512 bytes to an
// eighth of the power of two below.
int64_t block_bytes(int64_t bytes) {
  if (bytes <= kAlignment) return kAlignment;
  if (bytes >= kLarge) return RegionAllocator::block_bytes(bytes);
  const int64_t step = std::max(kAlignment, int64_t(std::bit_floor(uint64_t(bytes))) / 8);
  return round_up(bytes, step);
}

class Allocator {
 public:
  void* allocate(int64_t bytes) {
    // More than any machine has; and rounding up, or adding to live_bytes, must not overflow.
    check(bytes <= int64_t{1} << 60, ErrorKind::kMemory, "memory", "the system has no ", bytes, " bytes left");
    const int64_t size = block_bytes(bytes);
    std::lock_guard lock(mutex_);
    check(limit_ == 0 || live_bytes() + size <= limit_, ErrorKind::kMemory, "memory", "over the memory limit: ", bytes,
          " bytes wanted, ", live_bytes(), " in use, limit is ", limit_, ". Hint: a smaller batch needs less.");
    void* data = try_allocate(bytes);
    if (!data) {
      empty_cache_locked();  // what lies idle may be just what is missing
      data = try_allocate(bytes);
    }
    check(data != nullptr, ErrorKind::kMemory, "memory", "the system has no ", bytes, " bytes left; ", live_bytes(),
          " are in use. Hint: a smaller batch needs less.");
    stats_.allocations += 1;
    stats_.peak_bytes = std::max(stats_.peak_bytes, live_bytes());
    // Idle memory counts as well: it is given back rather than kept beyond the limit. That is early enough here: the new block
    // takes memory only when it is written.
    if (limit_ != 0 && held_bytes() > limit_) empty_cache_locked();
    return data;
  }

  void release(void* data, int64_t bytes) {
    std::lock_guard lock(mutex_);
    if (bytes >= kLarge) return regions_.release(data);
    const int64_t size = block_bytes(bytes);
    small_live_bytes_ -= size;
    free_[size].push_back(data);
  }

  void empty_cache() {
    std::lock_guard lock(mutex_);
    empty_cache_locked();
  }

  MemoryStats stats() {
    std::lock_guard lock(mutex_);
    MemoryStats stats = stats_;
    stats.live_bytes = live_bytes();
    stats.cached_bytes = held_bytes() - live_bytes();
    return stats;
  }

  void reset_peak() {
    std::lock_guard lock(mutex_);
    stats_.peak_bytes = live_bytes();
  }

  void set_limit(int64_t bytes) {
    std::lock_guard lock(mutex_);
    limit_ = bytes;
  }

 private:
  int64_t live_bytes() const { return small_live_bytes_ + regions_.live_bytes(); }
  int64_t held_bytes() const { return small_held_bytes_ + regions_.held_bytes(); }

  // nullptr if the system refuses.
  void* try_allocate(int64_t bytes) {
    const int64_t held = held_bytes();
    void* const data = bytes >= kLarge ? regions_.allocate(bytes) : allocate_small(block_bytes(bytes));
    if (held_bytes() > held) stats_.system_allocations += 1;
    return data;
  }

  void* allocate_small(int64_t size) {
    void* data = nullptr;
    std::vector<void*>& blocks = free_[size];
    if (!blocks.empty()) {
      data = blocks.back();
      blocks.pop_back();
    } else {
      if (posix_memalign(&data, kAlignment, size) != 0) return nullptr;
      small_held_bytes_ += size;
    }
    small_live_bytes_ += size;
    return data;
  }

  void empty_cache_locked() {
    for (auto& [size, blocks] : free_) {
      for (void* data : blocks) std::free(data);
      blocks.clear();
    }
    small_held_bytes_ = small_live_bytes_;
    regions_.give_back_idle();
  }

  std::mutex mutex_;
  std::unordered_map<int64_t, std::vector<void*>> free_;  // small blocks by size class
  int64_t small_live_bytes_ = 0, small_held_bytes_ = 0;
  RegionAllocator regions_;
  MemoryStats stats_;  // the counts and the peak; the other two are sums, taken when they are asked for
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
