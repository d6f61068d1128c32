// Weights in several files, with an index that says which tensor is in which (Hugging Face's *.index.json).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/byte_source.h"

namespace vitrail {

struct ShardIndex {
  std::map<std::string, std::string> file_of;  // by the name of the tensor
  std::vector<std::string> files;              // each once, sorted
};

// Reads {"metadata": {...}, "weight_map": {tensor: file, ...}}. The files must lie in the index's own folder.
// Error(kData) naming the index if it is no such object, maps no tensor, or names a file elsewhere ("..", a path).
ShardIndex read_shard_index(const ByteSource& source);

}  // namespace vitrail
