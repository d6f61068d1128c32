#include "labs/lab11/ring.h"

#include <vector>

namespace lab {

using namespace vitrail;

Chunk chunk_of(int64_t n, int ranks, int number) {
  // LAB 11.2 BEGIN  from a share of `number` to a share of `number` + 1, in whole numbers
  return {n * number / ranks, n * (number + 1) / ranks};
  // LAB 11.2 END
}

template <class T>
void ring_reduce_scatter(Communicator& comm, std::span<T> values) {
  const int ranks = comm.size(), rank = comm.rank();
  // LAB 11.2 BEGIN  ranks - 1 rounds: send one chunk_at() to the right, receive another from the left and add it to your own
  const int right = (rank + 1) % ranks, left = (rank + ranks - 1) % ranks;
  for (int round = 0; round < ranks - 1; ++round) {
    const std::span<T> out = chunk_at(values, ranks, rank - round), in = chunk_at(values, ranks, rank - round - 1);
    std::vector<T> received(in.size());
    const TransferPtr transfers[2] = {comm.receive(left, std::as_writable_bytes(std::span(received))),
                                      comm.send(right, std::as_bytes(out))};
    comm.wait(transfers);
    for (size_t i = 0; i < in.size(); ++i) in[i] += received[i];
  }
  // LAB 11.2 END
}

template <class T>
void ring_all_gather(Communicator& comm, std::span<T> values) {
  const int ranks = comm.size(), rank = comm.rank();
  // LAB 11.2 BEGIN  ranks - 1 rounds: first the chunk that is your sum goes on to the right, then what came from the left
  const int right = (rank + 1) % ranks, left = (rank + ranks - 1) % ranks;
  for (int round = 0; round < ranks - 1; ++round) {
    const std::span<T> out = chunk_at(values, ranks, rank + 1 - round), in = chunk_at(values, ranks, rank - round);
    const TransferPtr transfers[2] = {comm.receive(left, std::as_writable_bytes(in)), comm.send(right, std::as_bytes(out))};
    comm.wait(transfers);
  }
  // LAB 11.2 END
}

template void ring_reduce_scatter(Communicator&, std::span<float>);
template void ring_reduce_scatter(Communicator&, std::span<double>);
template void ring_all_gather(Communicator&, std::span<float>);
template void ring_all_gather(Communicator&, std::span<double>);

}  // namespace lab
