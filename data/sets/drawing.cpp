#include "data/sets/drawing.h"

#include <numeric>
#include <utility>
#include <vector>

namespace vitrail {
namespace {

constexpr uint64_t kLabelKey = uint64_t{1} << 63;  // above every sample index: labels and pictures are unrelated

}  // namespace

int64_t balanced_label(const Rng& rng, int64_t index, int64_t classes) {
  Dice dice(rng.at(kLabelKey + static_cast<uint64_t>(index / classes)));
  std::vector<int64_t> order(classes);
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t i = classes - 1; i > 0; --i) std::swap(order[i], order[dice.below(i + 1)]);
  return order[index % classes];
}

}  // namespace vitrail
