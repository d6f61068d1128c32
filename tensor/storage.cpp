#include "tensor/storage.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "base/divide.h"
#include "base/error.h"
#include "tensor/machine/region_allocator.h"

namespace vitrail {
namespace {

constexpr int64_t kAlignment = 64;
// Blocks of at least this many bytes come from regions, where freed memory can be reused for other sizes. Smaller blocks are
// many and must be fast; their size classes keep little memory idle.
constexpr int64_t kLarge = int64_t{256} << 10;

// The size classes of small blocks, so that freed ones can be reused: multiples of 64 bytes up to 512, and above that eight to
// each power of two.
constexpr int kStepsPerOctave = 8;
constexpr int kSmallClasses = kStepsPerOctave * (std::bit_width(uint64_t{kLarge}) - std::bit_width(uint64_t{256}));

constexpr int class_of(int64_t bytes) {
  if (bytes <= kStepsPerOctave * kAlignment) return static_cast<int>(ceil_div(std::max<int64_t>(bytes, 1), kAlignment)) - 1;
  const int octave = std::bit_width(static_cast<uint64_t>(bytes - 1)) - std::bit_width(uint64_t{511});  // of (512, 1024]: 1
  return kStepsPerOctave * octave + static_cast<int>((bytes - 1) >> (octave + 5)) - kStepsPerOctave;
}
constexpr int64_t class_bytes(int size_class) {
  const int octave = size_class / kStepsPerOctave, step = size_class % kStepsPerOctave;
  return octave == 0 ? (step + 1) * kAlignment : int64_t{kStepsPerOctave + step + 1} << (octave + 5);
}
static_assert(class_bytes(class_of(1)) == 64 && class_bytes(class_of(512)) == 512 && class_bytes(class_of(513)) == 576);
static_assert(class_bytes(class_of(1024)) == 1024 && class_bytes(class_of(1025)) == 1152);
static_assert(class_of(kLarge) == kSmallClasses - 1 && class_bytes(kSmallClasses - 1) == kLarge);

// The bytes that a block of the given size takes.
int64_t block_bytes(int64_t bytes) {
  return bytes >= kLarge ? RegionAllocator::block_bytes(bytes) : class_bytes(class_of(bytes));
}

// Idle blocks of one size: the first bytes of each hold the address of the next, so that adding a block needs no memory.
class FreeList {
 public:
  void push(void* block) noexcept {
    std::memcpy(block, &first_, sizeof first_);
    first_ = block;
  }
  // nullptr if there is none.
  void* pop() noexcept {
    void* const block = first_;
    if (block) std::memcpy(&first_, block, sizeof first_);
    return block;
  }

 private:
  void* first_ = nullptr;
};

class Allocator {
 public:
  void* allocate(int64_t bytes) {
    // More than any machine has. Below this, neither rounding up nor adding to live_bytes overflows.
    check(bytes <= int64_t{1} << 60, ErrorKind::kMemory, "memory", "the system has no ", bytes, " bytes left");
    const int64_t size = block_bytes(bytes);
    std::lock_guard lock(mutex_);
    check(limit_ == 0 || live_bytes() + size <= limit_, ErrorKind::kMemory, "memory", "over the memory limit: ", bytes,
          " bytes wanted, ", live_bytes(), " in use, limit is ", limit_, ". Hint: a smaller batch needs less.");
    void* data = try_allocate(bytes);
    if (!data) {
      empty_cache_locked();  // idle blocks may be just the memory that is missing
      data = try_allocate(bytes);
    }
    check(data != nullptr, ErrorKind::kMemory, "memory", "the system has no ", bytes, " bytes left; ", live_bytes(),
          " are in use. Hint: a smaller batch needs less.");
    stats_.allocations += 1;
    stats_.peak_bytes = std::max(stats_.peak_bytes, live_bytes());
    // Idle memory counts towards the limit too, and is given back when it would exceed it. This may happen after the
    // allocation, since a new block takes physical memory only when it is written.
    if (limit_ != 0 && held_bytes() > limit_) empty_cache_locked();
    return data;
  }

  // Allocates nothing, since destructors call it, even when memory has run out.
  void release(void* data, int64_t bytes) noexcept {
    std::lock_guard lock(mutex_);
    if (bytes >= kLarge) return regions_.release(data);
    small_live_bytes_ -= block_bytes(bytes);
    free_[class_of(bytes)].push(data);
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
    void* const data = bytes >= kLarge ? regions_.allocate(bytes) : allocate_small(class_of(bytes));
    if (held_bytes() > held) stats_.system_allocations += 1;
    return data;
  }

  void* allocate_small(int size_class) {
    const int64_t size = class_bytes(size_class);
    void* data = free_[size_class].pop();
    if (!data) {
      if (posix_memalign(&data, kAlignment, static_cast<size_t>(size)) != 0) return nullptr;
      small_held_bytes_ += size;
    }
    small_live_bytes_ += size;
    return data;
  }

  void empty_cache_locked() {
    for (FreeList& blocks : free_) {
      while (void* const block = blocks.pop()) std::free(block);
    }
    small_held_bytes_ = small_live_bytes_;
    regions_.give_back_idle();
  }

  std::mutex mutex_;
  std::array<FreeList, kSmallClasses> free_;  // small blocks by size class
  int64_t small_live_bytes_ = 0, small_held_bytes_ = 0;
  RegionAllocator regions_;
  MemoryStats stats_;  // the counts and the peak; the other two are summed on request
  int64_t limit_ = 0;
};

// Never destroyed, because tensors with static lifetime may be destroyed after it. It stays reachable, so leak checkers accept
// it.
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

namespace {
// One for all storages; it is held only while a pointer is copied.
constinit std::mutex derived_mutex;
}  // namespace

std::shared_ptr<const void> Storage::derived() const {
  if (!has_derived_.load(std::memory_order_acquire)) return nullptr;
  const std::lock_guard lock(derived_mutex);
  return derived_;
}

void Storage::set_derived(std::shared_ptr<const void> data) {
  {
    const std::lock_guard lock(derived_mutex);
    has_derived_.store(data != nullptr, std::memory_order_release);
    derived_.swap(data);
  }
  data.reset();  // frees the previous object outside the lock, since that takes other locks
}

Storage::~Storage() { allocator().release(data_, bytes_); }

}  // namespace vitrail
