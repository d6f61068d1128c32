// Allocator for large blocks: reserves regions of address space and cuts them into blocks of any size.
//
// A training step frees activations while it allocates gradients of other sizes. With size classes the freed blocks would stay
// idle; here a freed block is merged with its free neighbours and split again.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace vitrail {

// Best fit: takes the smallest free block that is large enough, and among equals the one with the lowest address. Not
// thread-safe: the caller locks.
class RegionAllocator {
 public:
  // A region reserves region_bytes of address space; it takes physical memory only where blocks have been written. A larger
  // request, or any request if the system refuses a region, gets a region of its own size.
  explicit RegionAllocator(int64_t region_bytes = int64_t{4} << 30);
  ~RegionAllocator();
  RegionAllocator(const RegionAllocator&) = delete;
  RegionAllocator& operator=(const RegionAllocator&) = delete;

  // The size of the block that a request for `bytes` (>= 1) gets.
  static int64_t block_bytes(int64_t bytes);

  // An uninitialised block of block_bytes(bytes), 64-byte aligned; nullptr if the system refuses the block or the memory for
  // bookkeeping; then nothing has changed.
  void* allocate(int64_t bytes);
  // Allocates nothing, so that a destructor may call it when memory has run out.
  void release(void* data) noexcept;
  // Gives back to the system regions without live blocks, and inside other regions the huge pages (2 MiB) without live blocks.
  void give_back_idle() noexcept;

  // Bytes in allocated blocks.
  int64_t live_bytes() const { return live_bytes_; }
  // Bytes in huge pages that have been part of a block and were not given back: the physical memory held, in use or idle.
  int64_t held_bytes() const { return held_bytes_; }
  int64_t regions() const { return static_cast<int64_t>(regions_.size()); }

 private:
  struct Region {
    char* data;
    int64_t bytes;
    std::vector<bool> held;  // one flag per huge page
  };
  using FreeBlocks = std::set<std::pair<int64_t, char*>>;  // size and address
  struct Block {
    int64_t bytes;
    std::list<Region>::iterator region;
    // The block's node of the set free_: in the set while the block is free, and kept here while it is allocated, so that
    // releasing the block needs no memory.
    FreeBlocks::node_type node = {};
    bool free() const { return node.empty(); }
  };
  using Blocks = std::map<char*, Block>;

  void* allocate_from(int64_t size);
  bool add_region(int64_t bytes);
  void remove_region(Blocks::iterator block);
  void join_right(Blocks::iterator left);
  void hold_pages(const char* data, const Block& block);
  void give_back_pages(char* data, const Block& block);

  int64_t region_bytes_;
  std::list<Region> regions_;
  Blocks blocks_;  // by address; they cover every byte of every region
  FreeBlocks free_;
  int64_t live_bytes_ = 0, held_bytes_ = 0;
};

}  // namespace vitrail
