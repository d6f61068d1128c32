// Sums over the ranks, added in one order whatever the number of messages: that of a binary tree over the rank numbers,
//   ((x0 + x1) + (x2 + x3)) + ((x4 + x5) + (x6 + x7)),
// where ranks that are not there are left out: of three, (x0 + x1) + x2. It is the tree of train/sum_tree.h, continued:
// if each rank has added up 2^k consecutive groups, the sum over the ranks is that over all groups, to the bit.
//
// MPI_Allreduce is not used: its order is the library's, and changes with size, algorithm and number of nodes.
#pragma once

#include <cstdint>
#include <vector>

#include "comm/communicator.h"

namespace vitrail {

// x + this is x, whatever x is; x + 0 is not, where x is -0. What a rank adds that has nothing to add.
constexpr double kAddsNothing = -0.0;

// A part [begin, end) of an array for each rank; together all of it, in no particular order.
struct Slices {
  std::vector<int64_t> begin, end;
  int64_t length(int rank) const { return end[static_cast<size_t>(rank)] - begin[static_cast<size_t>(rank)]; }
};
// As even as whole numbers allow, in the order of the ranks.
Slices even_slices(int64_t n, int ranks);

// Every rank's `values` become the sum over all ranks. Two messages per pair of ranks at most, n (R - 1) / R elements sent in
// each of two rounds. R a power of two: recursive halving, nearest rank first, then doubling (Thakur et al., "Optimization of
// collective communication operations in MPICH", 2005, section 4.5); else in slices, each added up by one rank.
void all_reduce(Communicator& comm, std::span<float> values);
void all_reduce(Communicator& comm, std::span<double> values);

// Half the bytes: what is sent is rounded to bf16, what is added up is f32 and not rounded in between. The result is rounded,
// too, so that all ranks hold the same bits; those depend on the number of ranks.
void all_reduce_bf16(Communicator& comm, std::span<float> values);
void reduce_scatter_bf16(Communicator& comm, std::span<float> values, const Slices& slices);

// The first half of all_reduce(): rank r's slice becomes the sum, the other elements are not to be read afterwards.
void reduce_scatter(Communicator& comm, std::span<float> values, const Slices& slices);
// The second: each rank's slice into the arrays of all.
void all_gather(Communicator& comm, std::span<float> values, const Slices& slices);

}  // namespace vitrail
