#include <vector>

#include "comm/all_reduce.h"
#include "comm/collectives.h"
#include "comm/slices.h"
#include "tensor/machine/bf16.h"

namespace vitrail {

namespace {

std::vector<Bf16> rounded(std::span<const float> values) {
  std::vector<Bf16> result(values.size());
  for (size_t i = 0; i < values.size(); ++i) result[i] = detail::to_bf16(values[i]);
  return result;
}

void widen(const std::vector<Bf16>& from, std::span<float> to) {
  for (size_t i = 0; i < to.size(); ++i) to[i] = detail::value_of(from[i]);
}

// This rank's slice becomes the sum, rounded, as all_reduce_bf16() sends it on. All parts are rounded, its own too, though that
// one is not sent: so the sum does not depend on where the slices are cut.
void scatter(Communicator& comm, std::span<float> values, const Slices& slices) {
  const int size = comm.size(), rank = comm.rank();
  std::vector<std::vector<Bf16>> received(static_cast<size_t>(size)), sent(static_cast<size_t>(size));
  for (int r = 0; r < size; ++r) {
    if (r == rank) continue;
    received[static_cast<size_t>(r)].resize(static_cast<size_t>(slices.length(rank)));
    sent[static_cast<size_t>(r)] = rounded(slice_of(values, slices, r));
  }
  exchange_with_all(
      comm, [&](int r) { return std::as_writable_bytes(std::span(received[static_cast<size_t>(r)])); },
      [&](int r) { return std::as_bytes(std::span(sent[static_cast<size_t>(r)])); });
  const std::span<float> own = slice_of(values, slices, rank);
  std::vector<std::vector<float>> memory(static_cast<size_t>(size));
  std::vector<std::span<float>> parts;
  for (int r = 0; r < size; ++r) {
    auto& part = memory[static_cast<size_t>(r)];
    part.resize(own.size());
    widen(r == rank ? rounded(own) : received[static_cast<size_t>(r)], part);
    parts.emplace_back(part);
  }
  add_in_tree(parts);
  widen(rounded(parts[0]), own);
}

}  // namespace

void reduce_scatter_bf16(Communicator& comm, std::span<float> values, const Slices& slices) {
  if (comm.size() > 1) scatter(comm, values, slices);
}

void all_reduce_bf16(Communicator& comm, std::span<float> values) {
  const int size = comm.size(), rank = comm.rank();
  if (size == 1 || values.empty()) return;
  const Slices slices = even_slices(static_cast<int64_t>(values.size()), size);
  scatter(comm, values, slices);
  const std::vector<Bf16> own = rounded(slice_of(values, slices, rank));
  std::vector<std::vector<Bf16>> received(static_cast<size_t>(size));
  for (int r = 0; r < size; ++r) received[static_cast<size_t>(r)].resize(static_cast<size_t>(slices.length(r)));
  exchange_with_all(
      comm, [&](int r) { return std::as_writable_bytes(std::span(received[static_cast<size_t>(r)])); },
      [&](int) { return std::as_bytes(std::span(own)); });
  for (int r = 0; r < size; ++r)
    if (r != rank) widen(received[static_cast<size_t>(r)], slice_of(values, slices, r));
}

}  // namespace vitrail
