// Which groups of a batch a rank has.
#pragma once

#include <cstdint>
#include <utility>

namespace vitrail {

// Groups of a batch where several ranks train and nobody said how many: a power of two that follows from the batch alone, so
// that a laptop repeats what a cluster did. The largest that leaves at least eight images a group (smaller ones cost more an
// image), at most 1,024.
int64_t default_groups(int64_t batch_size);

// Error(kValue) with the numbers that fit, unless `ranks` is 1, or divides `groups` with a power of two as quotient: then the
// sum over a rank's groups is a node of the tree over all of them.
void check_ranks(int64_t groups, int ranks, int64_t batch_size);

// [first, last): groups / ranks consecutive ones.
std::pair<int64_t, int64_t> groups_of_rank(int64_t groups, int ranks, int rank);

}  // namespace vitrail
