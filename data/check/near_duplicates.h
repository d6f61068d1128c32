// Pictures that look the same: copies at another size, another quality, another format.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

// What a picture looks like from afar.
struct Look {
  uint64_t hash = 0;                     // difference hash
  std::array<uint8_t, 256> thumbnail{};  // 16 x 16 grey
};

// The difference hash (N. Krawetz, "Kind of Like That", hackerfactor.com, 2013): the grey picture at 9 x 8; bit 8 y + x says
// whether pixel (y, x) is darker than its right neighbour. u8 [1 or 3, H, W].
Look look_of(const Tensor& image);

int64_t different_bits(uint64_t a, uint64_t b);

// Pairs (i < j) whose hashes differ in at most kMostBits bits, in rising order. Two such hashes agree in one of kMostBits + 1
// blocks of their bits: so hashes are sorted once for each block and compared within runs of one block. In a run, a hash is
// compared with the kLongestRun that follow it in the order of all bits: what the search costs is bounded by n kLongestRun, and
// only in a set of thousands of almost equal pictures some pairs are missed.
constexpr int kMostBits = 4;
constexpr int64_t kLongestRun = 256;
std::vector<std::pair<int64_t, int64_t>> near_hashes(const std::vector<uint64_t>& hashes);

// Whether two looks are of one picture: hashes at most kMostBits bits apart, and thumbnails that differ on average by no more
// than a tenth of their contrast (standard deviation), within 1 to 6 grey levels. The second rule is for drawings and digits,
// whose hashes say little.
bool look_alike(const Look& a, const Look& b);

// Groups of two and more indices that are connected by pairs, each in rising order, by their first.
std::vector<std::vector<int64_t>> groups_of(int64_t count, const std::vector<std::pair<int64_t, int64_t>>& pairs);

}  // namespace vitrail
