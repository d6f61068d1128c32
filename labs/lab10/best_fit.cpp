#include "labs/lab10/best_fit.h"

#include <iterator>

#include "base/divide.h"
#include "base/error.h"

namespace lab {

using vitrail::check, vitrail::ErrorKind, vitrail::round_up;

BestFit::BestFit(int64_t bytes) : blocks_{{0, {bytes, true}}}, free_{{bytes, 0}} {}

int64_t BestFit::allocate(int64_t bytes) {
  const int64_t size = round_up(bytes, int64_t{64});
  // LAB 10.7 BEGIN  Take the first of free_ that fits, keep `size` bytes, give the rest back to both maps.
  const auto fit = free_.lower_bound({size, 0});
  if (fit == free_.end()) return -1;
  const auto [whole, offset] = *fit;
  free_.erase(fit);
  blocks_[offset] = {size, false};
  if (whole > size) {
    blocks_[offset + size] = {whole - size, true};
    free_.insert({whole - size, offset + size});
  }
  live_ += size;
  return offset;
  // LAB 10.7 END
}

void BestFit::release(int64_t offset) {
  const auto block = blocks_.find(offset);
  check(block != blocks_.end() && !block->second.is_free, ErrorKind::kValue, "lab10", "no allocated block begins at ", offset);
  // LAB 10.7 BEGIN  The block becomes free; then it is joined with the next one, and the one before, if that is free, with it.
  live_ -= block->second.bytes;
  block->second.is_free = true;
  free_.insert({block->second.bytes, offset});
  join_right(block);
  if (block != blocks_.begin() && std::prev(block)->second.is_free) join_right(std::prev(block));
  // LAB 10.7 END
}

void BestFit::join_right(Blocks::iterator left) {
  // LAB 10.7 BEGIN  If the next block is free: take both out of free_, let the left one grow, put it back; the right one goes.
  const auto right = std::next(left);
  if (right == blocks_.end() || !right->second.is_free) return;
  free_.erase({left->second.bytes, left->first});
  free_.erase({right->second.bytes, right->first});
  left->second.bytes += right->second.bytes;
  free_.insert({left->second.bytes, left->first});
  blocks_.erase(right);
  // LAB 10.7 END
}

}  // namespace lab
