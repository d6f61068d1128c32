#include "train/ranks/model_of_rank_0.h"

#include "comm/collectives.h"
#include "tensor/tensor.h"
#include "train/ranks/agree.h"
#include "train/ranks/pack.h"

namespace vitrail {

namespace {

std::string describe(const SavedModel& saved) {
  Packer packer;
  packer.put(card_json(saved.architecture, saved.card)).put(saved.file).put(saved.weights.size());
  for (const auto& [name, tensor] : saved.weights) {
    const Shape shape = tensor.shape();
    packer.put(name).put(tensor.dtype()).put(shape.begin(), shape.size());
  }
  return packer.bytes();
}

// The model without its numbers.
SavedModel described(const std::string& bytes) {
  Unpacker unpacker(bytes);
  const auto card = unpacker.get<std::string>(), file = unpacker.get<std::string>();
  SavedModel saved = read_card_json(card, file);
  for (auto left = unpacker.get<size_t>(); left > 0; --left) {
    auto name = unpacker.get<std::string>();
    const auto dtype = unpacker.get<Dtype>();
    saved.weights.emplace_back(std::move(name), zeros(Shape(unpacker.array<int64_t>()), dtype));
  }
  return saved;
}

}  // namespace

SavedModel read_on_rank_0(Communicator& comm, const std::string& path, const OpenOptions& options) {
  SavedModel saved;
  std::string description;
  if (comm.rank() == 0) {
    saved = read_saved_model(path, options);
    if (comm.size() == 1) return saved;
    for (auto& [name, tensor] : saved.weights) tensor = contiguous(tensor);
    description = describe(saved);
  }
  broadcast(comm, description);
  if (comm.rank() != 0) saved = described(description);
  share(comm, saved.weights);
  return saved;
}

}  // namespace vitrail
