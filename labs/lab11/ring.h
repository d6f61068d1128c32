// Lab 11, exercise 11.2: a sum over the ranks in a ring. Every rank r speaks to two others only: it sends to r + 1 and receives
// from r - 1. Source: Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", 2009. The
// framework's own, in the order of a tree: comm/all_reduce.cpp.
#pragma once

#include <cstdint>
#include <span>

#include "comm/communicator.h"

namespace lab {

struct Chunk {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};
// n numbers in `ranks` consecutive chunks whose sizes differ by one at most; some are empty where n < ranks.
Chunk chunk_of(int64_t n, int ranks, int number);

// The same number of values on all ranks. Afterwards chunk r + 1 of rank r holds the sum over all ranks (chunk 0 follows the
// last one); what its other chunks hold does not matter.
template <class T>
void ring_reduce_scatter(vitrail::Communicator& comm, std::span<T> values);

// Chunk r + 1 of each rank r into the values of all.
template <class T>
void ring_all_gather(vitrail::Communicator& comm, std::span<T> values);

// One after the other: all ranks hold the sum, with the same bits.
template <class T>
void ring_all_reduce(vitrail::Communicator& comm, std::span<T> values) {
  ring_reduce_scatter(comm, values);
  ring_all_gather(comm, values);
}

// The values of chunk `number`, counted around the ring: -1 is the last one, `ranks` the first.
template <class T>
std::span<T> chunk_at(std::span<T> values, int ranks, int number) {
  const Chunk chunk = chunk_of(static_cast<int64_t>(values.size()), ranks, (number % ranks + ranks) % ranks);
  return values.subspan(static_cast<size_t>(chunk.begin), static_cast<size_t>(chunk.size()));
}

}  // namespace lab
