#include "tensor/machine/region_allocator.h"

#include <sys/mman.h>

#include <algorithm>
#include <iterator>
#include <new>

#include "base/divide.h"
#include "tensor/machine/poison.h"

namespace vitrail {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;
constexpr int64_t kAlignment = 64;

// Reserves address space, aligned to a huge page. Returns nullptr if the system refuses.
char* map_region(int64_t bytes) {
  void* const mapped = mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  char* const begin = static_cast<char*>(mapped);
  const int64_t before = -reinterpret_cast<intptr_t>(begin) & (kHugePage - 1);
  if (before > 0) munmap(begin, before);
  munmap(begin + before + bytes, kHugePage - before);
  // Without huge pages, the page faults of the first write to a large block cost more than computing its content. A refusal is
  // not an error.
  madvise(begin + before, bytes, MADV_HUGEPAGE);
  return begin + before;
}

void unmap_region(char* data, int64_t bytes) {
  unpoison(data, bytes);  // the system may map other memory there
  munmap(data, bytes);
}

}  // namespace

RegionAllocator::RegionAllocator(int64_t region_bytes) : region_bytes_(round_up(region_bytes, kHugePage)) {}

RegionAllocator::~RegionAllocator() {
  for (const Region& region : regions_) unmap_region(region.data, region.bytes);
}

int64_t RegionAllocator::block_bytes(int64_t bytes) { return round_up(bytes, kAlignment) + kGuardBytes; }

void* RegionAllocator::allocate(int64_t bytes) {
  const int64_t size = block_bytes(bytes);
  void* data = nullptr;
  try {
    data = allocate_from(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  if (!data) return nullptr;
  unpoison(data, bytes);
  poison(static_cast<char*>(data) + bytes, size - bytes);
  return data;
}

// Takes a free block of this size, or the first `size` bytes of a larger one. Everything that may throw happens before the
// first change.
void* RegionAllocator::allocate_from(int64_t size) {
  auto fit = free_.lower_bound({size, nullptr});
  if (fit == free_.end()) {
    const bool added = (size <= region_bytes_ && add_region(region_bytes_)) || add_region(size);
    if (!added) return nullptr;
    fit = free_.lower_bound({size, nullptr});
  }
  char* const data = fit->second;
  Block& block = blocks_.at(data);
  if (const int64_t rest = block.bytes - size; rest > 0) {
    const auto added = blocks_.emplace(data + size, Block{rest, block.region}).first;
    try {
      free_.emplace(rest, data + size);
    } catch (...) {
      blocks_.erase(added);
      throw;
    }
  }
  block.node = free_.extract(fit);
  block.bytes = size;
  live_bytes_ += size;
  hold_pages(data, block);
  return data;
}

void RegionAllocator::release(void* data) noexcept {
  const auto block = blocks_.find(static_cast<char*>(data));
  live_bytes_ -= block->second.bytes;
  poison(data, block->second.bytes);
  block->second.node.value() = {block->second.bytes, block->first};
  free_.insert(std::move(block->second.node));
  join_right(block);
  if (block != blocks_.begin() && std::prev(block)->second.free()) join_right(std::prev(block));
}

void RegionAllocator::give_back_idle() noexcept {
  for (auto block = blocks_.begin(); block != blocks_.end();) {
    const auto next = std::next(block);
    const auto& [data, b] = *block;
    if (b.free() && b.bytes == b.region->bytes) {
      remove_region(block);
    } else if (b.free()) {
      give_back_pages(data, b);
    }
    block = next;
  }
}

bool RegionAllocator::add_region(int64_t bytes) {
  bytes = round_up(bytes, kHugePage);
  char* const data = map_region(bytes);
  if (!data) return false;
  try {
    regions_.push_front({data, bytes, {}});
    regions_.front().held.resize(static_cast<size_t>(bytes / kHugePage));
    blocks_.emplace(data, Block{bytes, regions_.begin()});
    free_.emplace(bytes, data);
  } catch (...) {
    blocks_.erase(data);
    if (!regions_.empty() && regions_.front().data == data) regions_.pop_front();
    unmap_region(data, bytes);
    throw;
  }
  return true;
}

// Gives back the region that consists of this one free block.
void RegionAllocator::remove_region(Blocks::iterator block) {
  const auto& [data, b] = *block;
  const auto region = b.region;
  held_bytes_ -= kHugePage * std::count(region->held.begin(), region->held.end(), true);
  unmap_region(data, b.bytes);
  free_.erase({b.bytes, data});
  blocks_.erase(block);
  regions_.erase(region);
}

// Joins this free block with the next one, if that is free too. Blocks of two adjacent regions are not joined, so that each
// region can be given back.
void RegionAllocator::join_right(Blocks::iterator left) {
  const auto right = std::next(left);
  Block& block = left->second;
  if (right == blocks_.end() || !right->second.free() || right->second.region != block.region) return;
  free_.erase({right->second.bytes, right->first});
  auto node = free_.extract({block.bytes, left->first});
  block.bytes += right->second.bytes;
  blocks_.erase(right);
  node.value().first = block.bytes;
  free_.insert(std::move(node));
}

// Counts the huge pages of a block as held: the system backs a whole huge page as soon as one byte of it is written.
void RegionAllocator::hold_pages(const char* data, const Block& block) {
  const int64_t begin = data - block.region->data;
  for (int64_t page = begin / kHugePage; page * kHugePage < begin + block.bytes; ++page) {
    if (block.region->held[page]) continue;
    block.region->held[page] = true;
    held_bytes_ += kHugePage;
  }
}

// Gives back the huge pages inside a free block; its neighbours may use the pages at its ends.
void RegionAllocator::give_back_pages(char* data, const Block& block) {
  const int64_t begin = data - block.region->data;
  const auto held = block.region->held.begin();
  const int64_t first = round_up(begin, kHugePage) / kHugePage, last = (begin + block.bytes) / kHugePage;
  if (first >= last) return;
  const int64_t count = std::count(held + first, held + last, true);
  if (count == 0 || madvise(block.region->data + first * kHugePage, (last - first) * kHugePage, MADV_DONTNEED) != 0) return;
  std::fill(held + first, held + last, false);
  held_bytes_ -= count * kHugePage;
}

}  // namespace vitrail
