// Lab 11, exercise 11.5: which images a rank has in each step. The framework's own: train/ranks/split.cpp, in groups of a
// batch.
#pragma once

#include <cstdint>
#include <vector>

namespace lab {

// How an epoch is dealt: batches of `batch` samples (the last one may have fewer), each cut for `ranks` ranks.
struct Deal {
  int64_t samples, batch;
  uint64_t seed;
  int ranks;
};

// The samples of `rank` in each step of an epoch, one list a step. In each step the ranks together have the batch that one rank
// alone would have in that step, as evenly as whole numbers allow: so every rank has as many steps, some perhaps with an empty
// list. The order of the samples is a function of seed and epoch.
std::vector<std::vector<int64_t>> shard(const Deal& deal, int64_t epoch, int rank);

}  // namespace lab
