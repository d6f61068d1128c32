// The JSON header of a safetensors file, read in one pass without building a JSON tree. Its cost grows with the number of
// tensors that it describes, and a header of another form is refused at the first difference.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tensor/shape.h"

namespace vitrail {

struct SafetensorsEntry {
  std::string name, type;
  Shape shape;
  int64_t begin = 0, end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;                      // in the order of the text
  std::vector<std::pair<std::string, std::string>> metadata;  // sorted by key
  std::string complaint;                                      // empty if the text is a header
  int64_t data_start = 0;                                     // the byte of the file at which offset 0 of the data lies
};

// Reads the text. Limits: 200,000 tensors, 1000 metadata keys, 16 MiB of metadata, names of 1 to 1024 bytes, 8 sizes of at most
// 2^62 per shape.
// The caller checks that sizes, offsets and the file agree.
SafetensorsHeader read_safetensors_header(const std::string& text);

}  // namespace vitrail
