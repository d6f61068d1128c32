// What all ranks do together, made of messages between two of them. Every rank calls the same functions in the same order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "comm/communicator.h"

namespace vitrail {

// The bytes of rank `root` into those of all ranks, along a binary tree: ceil(log2 R) messages one after another. All must give
// as many bytes.
void broadcast(Communicator& comm, std::span<std::byte> bytes, int root = 0);
// The same for a text whose length only the root knows.
void broadcast(Communicator& comm, std::string& text, int root = 0);

// What each rank has to say, to all ranks: element r is rank r's. Lengths may differ.
std::vector<std::string> all_gather(Communicator& comm, const std::string& mine);

// Returns when all ranks have called it.
void barrier(Communicator& comm);

// A message to every other rank and one from each: bytes_to(r) and bytes_from(r) are where rank r's lie. Receiving begins
// first, so that what arrives has a place.
template <class From, class To>
void exchange_with_all(Communicator& comm, const From& bytes_from, const To& bytes_to) {
  std::vector<TransferPtr> transfers;
  for (int r = 0; r < comm.size(); ++r)
    if (r != comm.rank()) transfers.push_back(comm.receive(r, bytes_from(r)));
  for (int r = 0; r < comm.size(); ++r)
    if (r != comm.rank()) transfers.push_back(comm.send(r, bytes_to(r)));
  comm.wait(transfers);
}

}  // namespace vitrail
