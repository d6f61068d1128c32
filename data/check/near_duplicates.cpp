#include "data/check/near_duplicates.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "data/image/image.h"
#include "tensor/ops/resize.h"

namespace vitrail {
namespace {

constexpr int kBlocks = kMostBits + 1;
constexpr int64_t kThumbnail = 16;

// Bits [begin, end) of block b: 13 bits each, the last 12.
uint64_t block_of(uint64_t hash, int b) {
  const int begin = b * 13, bits = std::min(13, 64 - begin);
  return hash >> begin & ((uint64_t{1} << bits) - 1);
}

Tensor shrunk(const Tensor& grey, int64_t height, int64_t width) {
  return resize(grey, height, width, {.mode = Interpolation::kBilinear, .align_corners = false, .antialias = true});
}

double contrast_of(const Look& look) {
  double sum = 0, squares = 0;
  for (const uint8_t v : look.thumbnail) sum += v, squares += static_cast<double>(v) * v;
  const double n = static_cast<double>(look.thumbnail.size()), mean = sum / n;
  return std::sqrt(std::max(0.0, squares / n - mean * mean));
}

}  // namespace

Look look_of(const Tensor& image) {
  const Tensor grey = to(convert_channels(image, 1), Dtype::f32);
  Look look;
  const Tensor small = shrunk(grey, 8, 9);
  const float* pixel = small.data<float>();
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x)
      if (pixel[y * 9 + x] < pixel[y * 9 + x + 1]) look.hash |= uint64_t{1} << (8 * y + x);
  const Tensor thumbnail = shrunk(grey, kThumbnail, kThumbnail);
  for (size_t i = 0; i < look.thumbnail.size(); ++i)
    look.thumbnail[i] = static_cast<uint8_t>(std::clamp(std::lround(thumbnail.data<float>()[i]), 0L, 255L));
  return look;
}

int64_t different_bits(uint64_t a, uint64_t b) { return std::popcount(a ^ b); }

std::vector<std::pair<int64_t, int64_t>> near_hashes(const std::vector<uint64_t>& hashes) {
  std::vector<std::pair<int64_t, int64_t>> pairs;
  const auto count = static_cast<int64_t>(hashes.size());
  std::vector<int64_t> order(hashes.size());
  for (int b = 0; b < kBlocks; ++b) {
    std::iota(order.begin(), order.end(), int64_t{0});
    std::sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
      const uint64_t x = block_of(hashes[i], b), y = block_of(hashes[j], b);
      return x != y ? x < y : hashes[i] != hashes[j] ? hashes[i] < hashes[j] : i < j;
    });
    for (int64_t i = 0; i < count; ++i) {
      const uint64_t mine = hashes[order[i]];
      for (int64_t j = i + 1; j < std::min(count, i + 1 + kLongestRun) && block_of(hashes[order[j]], b) == block_of(mine, b);
           ++j)
        if (different_bits(mine, hashes[order[j]]) <= kMostBits) pairs.push_back(std::minmax(order[i], order[j]));
    }
  }
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  return pairs;
}

bool look_alike(const Look& a, const Look& b) {
  if (different_bits(a.hash, b.hash) > kMostBits) return false;
  int64_t difference = 0;
  for (size_t i = 0; i < a.thumbnail.size(); ++i) difference += std::abs(int{a.thumbnail[i]} - int{b.thumbnail[i]});
  const double allowed = std::clamp(0.1 * std::min(contrast_of(a), contrast_of(b)), 1.0, 6.0);
  return static_cast<double>(difference) <= allowed * static_cast<double>(a.thumbnail.size());
}

std::vector<std::vector<int64_t>> groups_of(int64_t count, const std::vector<std::pair<int64_t, int64_t>>& pairs) {
  std::vector<int64_t> parent(static_cast<size_t>(count));
  std::iota(parent.begin(), parent.end(), int64_t{0});
  const auto root = [&](int64_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  for (const auto& pair : pairs) {
    const int64_t a = root(pair.first), b = root(pair.second);
    parent[std::max(a, b)] = std::min(a, b);  // the root of a group is its first
  }
  std::vector<std::vector<int64_t>> by_root(static_cast<size_t>(count)), groups;
  for (int64_t i = 0; i < count; ++i) by_root[root(i)].push_back(i);
  for (auto& group : by_root)
    if (group.size() >= 2) groups.push_back(std::move(group));
  return groups;
}

}  // namespace vitrail
