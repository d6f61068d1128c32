#include "comm/all_reduce.h"

#include <bit>

#include "comm/collectives.h"
#include "comm/slices.h"

namespace vitrail {

namespace {

template <class T>
std::span<const std::byte> const_bytes(std::span<T> values) {
  return std::as_bytes(values);
}
template <class T>
std::span<std::byte> bytes(std::span<T> values) {
  return std::as_writable_bytes(values);
}

// Each slice goes to its rank, which adds up what it gets.
template <class T>
void scatter_slices(Communicator& comm, std::span<T> values, const Slices& slices) {
  const int size = comm.size(), rank = comm.rank();
  const int64_t own = slices.length(rank);
  std::vector<T> memory(static_cast<size_t>(own * (size - 1)));
  std::vector<std::span<T>> parts;
  T* next = memory.data();
  for (int r = 0; r < size; ++r) {
    parts.push_back(r == rank ? slice_of(values, slices, r) : std::span<T>(next, static_cast<size_t>(own)));
    if (r != rank) next += own;
  }
  exchange_with_all(
      comm, [&](int r) { return bytes(parts[static_cast<size_t>(r)]); },
      [&](int r) { return const_bytes(slice_of(values, slices, r)); });
  const std::span<T> mine = parts[static_cast<size_t>(rank)];
  add_in_tree(parts);
  if (rank != 0) std::copy(parts[0].begin(), parts[0].end(), mine.begin());
}

template <class T>
void gather_slices(Communicator& comm, std::span<T> values, const Slices& slices) {
  exchange_with_all(
      comm, [&](int r) { return bytes(slice_of(values, slices, r)); },
      [&](int) { return const_bytes(slice_of(values, slices, comm.rank())); });
}

// R = 2^k. In round i = 0, 1, ... each pair of ranks that differ in bit i halves the stretch that both hold: each sends one
// half and adds up the other. So the sums grow over 2, 4, 8 neighbours, as the tree does. Backwards, the pairs exchange their
// halves.
template <class T>
void halve_and_double(Communicator& comm, std::span<T> values) {
  const int rank = comm.rank();
  struct Round {
    int peer;
    int64_t begin, end, mine_begin, mine_end;  // the stretch, and the half that stays here
  };
  std::vector<Round> rounds;
  int64_t begin = 0, end = static_cast<int64_t>(values.size());
  std::vector<T> received(static_cast<size_t>((end + 1) / 2));
  for (int bit = 1; bit < comm.size(); bit *= 2) {
    const int64_t middle = begin + (end - begin) / 2;
    const bool low = (rank & bit) == 0;
    const Round round{rank ^ bit, begin, end, low ? begin : middle, low ? middle : end};
    const std::span<T> mine = stretch(values, round.mine_begin, round.mine_end);
    const std::span<T> theirs = low ? stretch(values, middle, end) : stretch(values, begin, middle);
    TransferPtr transfers[2] = {comm.receive(round.peer, bytes(std::span(received.data(), mine.size()))),
                                comm.send(round.peer, const_bytes(theirs))};
    comm.wait(transfers);
    add_to(mine, received.data());
    rounds.push_back(round);
    begin = round.mine_begin, end = round.mine_end;
  }
  for (size_t i = rounds.size(); i-- > 0;) {
    const Round& round = rounds[i];
    const bool low = round.mine_begin == round.begin && (rank & (1 << i)) == 0;
    const std::span<T> mine = stretch(values, round.mine_begin, round.mine_end);
    const std::span<T> theirs =
        low ? stretch(values, round.mine_end, round.end) : stretch(values, round.begin, round.mine_begin);
    TransferPtr transfers[2] = {comm.receive(round.peer, bytes(theirs)), comm.send(round.peer, const_bytes(mine))};
    comm.wait(transfers);
  }
}

template <class T>
void all_reduce_any(Communicator& comm, std::span<T> values) {
  if (comm.size() == 1 || values.empty()) return;
  if (std::has_single_bit(static_cast<unsigned>(comm.size()))) return halve_and_double(comm, values);
  const Slices slices = even_slices(static_cast<int64_t>(values.size()), comm.size());
  scatter_slices(comm, values, slices);
  gather_slices(comm, values, slices);
}

}  // namespace

Slices even_slices(int64_t n, int ranks) {
  Slices slices;
  for (int r = 0; r < ranks; ++r) {
    slices.begin.push_back(n * r / ranks);
    slices.end.push_back(n * (r + 1) / ranks);
  }
  return slices;
}

void all_reduce(Communicator& comm, std::span<float> values) { all_reduce_any(comm, values); }
void all_reduce(Communicator& comm, std::span<double> values) { all_reduce_any(comm, values); }

void reduce_scatter(Communicator& comm, std::span<float> values, const Slices& slices) {
  if (comm.size() > 1) scatter_slices(comm, values, slices);
}
void all_gather(Communicator& comm, std::span<float> values, const Slices& slices) {
  if (comm.size() > 1) gather_slices(comm, values, slices);
}

}  // namespace vitrail
