#include "comm/collectives.h"

namespace vitrail {

void broadcast(Communicator& comm, std::span<std::byte> bytes, int root) {
  if (comm.size() == 1) return;
  // Counted from the root: in round k the first 2^k ranks have the bytes, and rank r of them sends to r + 2^k.
  // LAB 11.1 BEGIN  rounds of messages: who has the bytes sends them to one who has not, until all have
  const int size = comm.size(), own = (comm.rank() - root + size) % size;
  const auto rank_of = [&](int number) { return (number + root) % size; };
  for (int have = 1; have < size; have *= 2) {
    if (own < have && own + have < size)
      comm.wait(comm.send(rank_of(own + have), bytes));
    else if (own >= have && own < 2 * have)
      comm.wait(comm.receive(rank_of(own - have), bytes));
  }
  // LAB 11.1 END
}

void broadcast(Communicator& comm, std::string& text, int root) {
  uint64_t length = text.size();
  broadcast(comm, std::as_writable_bytes(std::span(&length, 1)), root);
  text.resize(length);
  broadcast(comm, std::as_writable_bytes(std::span(text)), root);
}

std::vector<std::string> all_gather(Communicator& comm, const std::string& mine) {
  const int size = comm.size(), rank = comm.rank();
  std::vector<std::string> all(static_cast<size_t>(size));
  all[static_cast<size_t>(rank)] = mine;
  if (size == 1) return all;
  // Lengths first.
  const uint64_t length = mine.size();
  std::vector<uint64_t> lengths(static_cast<size_t>(size), length);
  exchange_with_all(
      comm, [&](int r) { return std::as_writable_bytes(std::span(&lengths[static_cast<size_t>(r)], 1)); },
      [&](int) { return std::as_bytes(std::span(&length, 1)); });
  for (size_t r = 0; r < all.size(); ++r) all[r].resize(lengths[r]);
  exchange_with_all(
      comm, [&](int r) { return std::as_writable_bytes(std::span(all[static_cast<size_t>(r)])); },
      [&](int) { return std::as_bytes(std::span(mine)); });
  return all;
}

// In round k each rank tells rank + 2^k and hears of rank - 2^k: after ceil(log2 R) rounds each has heard of all (Hensgen,
// Finkel and Manber, "Two algorithms for barrier synchronization", 1988).
void barrier(Communicator& comm) {
  const int size = comm.size();
  for (int distance = 1; distance < size; distance *= 2) {
    char out = 0, in = 0;
    const TransferPtr transfers[2] = {
        comm.receive((comm.rank() - distance + size) % size, std::as_writable_bytes(std::span(&in, 1))),
        comm.send((comm.rank() + distance) % size, std::as_bytes(std::span(&out, 1)))};
    comm.wait(transfers);
  }
}

}  // namespace vitrail
