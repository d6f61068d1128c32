#include "train/ranks/split.h"

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace vitrail {

namespace {

constexpr int64_t kLeastImages = 8, kMostGroups = 1024;

bool fits(int64_t groups, int64_t ranks) {
  return ranks == 1 || (groups % ranks == 0 && std::has_single_bit(static_cast<uint64_t>(groups / ranks)));
}

}  // namespace

int64_t default_groups(int64_t batch_size) {
  return static_cast<int64_t>(
      std::bit_floor(static_cast<uint64_t>(std::clamp<int64_t>(batch_size / kLeastImages, 1, kMostGroups))));
}

void check_ranks(int64_t groups, int ranks, int64_t batch_size) {
  if (fits(groups, ranks)) return;
  std::vector<std::string> ranks_that_fit, groups_that_fit;
  for (int64_t r = 1; r <= groups; ++r)
    if (fits(groups, r)) ranks_that_fit.push_back(std::to_string(r));
  for (int64_t g = ranks; g <= std::max<int64_t>(ranks, batch_size) && groups_that_fit.size() < 5; g *= 2)
    groups_that_fit.push_back(std::to_string(g));
  fail(ErrorKind::kValue, "train", "the ranks do not fit the groups of a batch: ", ranks, " ranks, ", groups,
       " groups. A rank has a power of two of them, or all. Hint: with these groups ", listed(ranks_that_fit, 12),
       " ranks; with these ranks --groups ", listed(groups_that_fit, 5), ".");
}

std::pair<int64_t, int64_t> groups_of_rank(int64_t groups, int ranks, int rank) {
  return {groups * rank / ranks, groups * (rank + 1) / ranks};
}

}  // namespace vitrail
