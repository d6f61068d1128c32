#include "labs/lab11/shard.h"

#include <algorithm>

#include "data/sampling.h"

namespace lab {

using namespace vitrail;

std::vector<std::vector<int64_t>> shard(const Deal& deal, int64_t epoch, int rank) {
  std::vector<std::vector<int64_t>> steps;
  // LAB 11.5 BEGIN  the epoch_order() of all, cut into batches; of each batch this rank's share
  const std::vector<int64_t> order = epoch_order(deal.samples, deal.seed, epoch);
  for (int64_t begin = 0; begin < deal.samples; begin += deal.batch) {
    const int64_t size = std::min(deal.batch, deal.samples - begin);
    const auto first = order.begin() + begin + size * rank / deal.ranks;
    const auto last = order.begin() + begin + size * (rank + 1) / deal.ranks;
    steps.emplace_back(first, last);
  }
  // LAB 11.5 END
  return steps;
}

}  // namespace lab
