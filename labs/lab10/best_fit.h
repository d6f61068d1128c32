// Lab 10, exercise 10.7: which bytes of a region belong to whom. Blocks are offsets, so that no memory is needed to try it out.
// The framework's own does the same with real memory and huge pages: tensor/machine/region_allocator.h. Source: Knuth, The Art
// of Computer Programming, volume 1, section 2.5 (best fit, boundary tags).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace lab {

class BestFit {
 public:
  // A region of `bytes` (a multiple of 64, > 0), all free.
  explicit BestFit(int64_t bytes);

  // The offset of the smallest free block that is large enough, among equals the lowest; what is left of it stays free. A
  // request (>= 1 byte) is rounded up to a multiple of 64. -1 if no free block is large enough.
  int64_t allocate(int64_t bytes);
  // The allocated block that begins at this offset becomes free, and one with its free neighbours on both sides. Error(kValue)
  // if no allocated block begins there.
  void release(int64_t offset);

  int64_t live_bytes() const { return live_; }
  int64_t free_blocks() const { return static_cast<int64_t>(free_.size()); }
  // 0 if nothing is free.
  int64_t largest_free() const { return free_.empty() ? 0 : free_.rbegin()->first; }

 private:
  struct Block {
    int64_t bytes;
    bool is_free;
  };
  using Blocks = std::map<int64_t, Block>;  // by offset; they cover the region
  // Joins this free block with the next one, if there is one and it is free.
  void join_right(Blocks::iterator left);

  Blocks blocks_;
  std::set<std::pair<int64_t, int64_t>> free_;  // size and offset of the free ones
  int64_t live_ = 0;
};

}  // namespace lab
