// Memory for large blocks: address space from the system, cut into blocks of any size.
//
// A training step frees its activations while it makes gradients of other sizes. Blocks that could only be reused at their own
// size would stay idle meanwhile; here a freed block is merged with its free neighbours and split again.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace vitrail {

// Best fit: the smallest free block that is large enough, of several the one with the lowest address. Not safe for several
// threads at once: the caller locks.
class RegionAllocator {
 public:
  // A region takes region_bytes of address space, and memory only where blocks have been. A larger request, and any request
  // where the system refuses a region, gets one of its own size.
  explicit RegionAllocator(int64_t region_bytes = int64_t{4} << 30);
  ~RegionAllocator();
  RegionAllocator(const RegionAllocator&) = delete;
  RegionAllocator& operator=(const RegionAllocator&) = delete;

  // What a request for so many bytes (at least one) takes.
  static int64_t block_bytes(int64_t bytes);

  // An uninitialised block of block_bytes(bytes), 64-byte aligned; nullptr if the system refuses, also if it refuses the few
  // bytes for keeping account: then nothing has changed.
  void* allocate(int64_t bytes);
  // Allocates nothing, so that a destructor may call it when memory has run out.
  void release(void* data) noexcept;
  // Regions without a block go back to the system, and so do whole huge pages (2 MiB) without one inside the others.
  void give_back_idle() noexcept;

  // In blocks that are handed out.
  int64_t live_bytes() const { return live_bytes_; }
  // In huge pages that have been part of a block and were not given back: what the process holds, idle or not.
  int64_t held_bytes() const { return held_bytes_; }
  int64_t regions() const { return static_cast<int64_t>(regions_.size()); }

 private:
  struct Region {
    char* data;
    int64_t bytes;
    std::vector<bool> held;  // one flag per huge page
  };
  using FreeBlocks = std::set<std::pair<int64_t, char*>>;  // size and place
  struct Block {
    int64_t bytes;
    std::list<Region>::iterator region;
    // The block's node of free_: there while the block is free, and here while it is handed out, so that releasing it needs no
    // memory.
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
  Blocks blocks_;  // every byte of every region belongs to one
  FreeBlocks free_;
  int64_t live_bytes_ = 0, held_bytes_ = 0;
};

}  // namespace vitrail
