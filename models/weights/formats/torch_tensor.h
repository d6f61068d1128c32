// How torch describes a tensor in a pickle: a storage outside it, and offset, sizes and strides in elements.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/weights/formats/pickle.h"
#include "tensor/shape.h"
#include "tensor/stored_type.h"

namespace vitrail {

// A storage: the bytes that tensors share.
struct TorchStorage {
  std::string key;
  int64_t bytes = 0;
  int64_t element_bytes = 1;  // of its own type; 1 if it has none
  std::string type;           // "F32", or "untyped"
};

struct TorchTensor {
  std::string name;
  const StoredType* type = nullptr;
  Shape shape, strides;
  int64_t offset = 0;  // in elements, as the strides
  int64_t numel = 0;
  TorchStorage storage;
};

// The storage that a node of Kind::kPersistent names: ("storage", type, key, location, number of elements).
// Error(kData) naming the file if it is none, or has a type that is not read.
TorchStorage torch_storage(const Pickle& pickle, const PickleNode& persistent, const std::string& file);

// The tensors of a dictionary, in its order; what is no tensor in it (numbers, texts) is left out.
// Error(kData) naming file and tensor: for a name that is no text of 1 to 1024 bytes of UTF-8 or stands twice, and for a tensor
// that reaches beyond its storage, has more than 8 axes or is of a type that is not read.
std::vector<TorchTensor> torch_tensors(const Pickle& pickle, const PickleNode& dict, const std::string& file);

}  // namespace vitrail
