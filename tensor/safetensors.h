// safetensors: named tensors in a file that is safe to open even from strangers (github.com/huggingface/safetensors, "Format"):
// the length of the header (u64, little-endian), the header as JSON, then the data without holes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_source.h"
#include "tensor/safetensors_header.h"
#include "tensor/tensor.h"

namespace vitrail {

struct SafetensorsFile {
  std::vector<std::pair<std::string, Tensor>> tensors;  // in the order of their data
  std::vector<std::pair<std::string, std::string>> metadata;
};

// Reads all tensors. F32, F64, I64 and U8 keep their dtype; BOOL as u8; F16 and BF16 as f32; I8, I16, I32, U16, U32 and U64 as
// i64. A U64 above 2^63 - 1 is Error(kData): it does not fit an i64.
// Strict: header of at most 100 MB that fits the file (checked before it is read; tensor/safetensors_header.h), known dtypes,
// checked products, spans that tile the data exactly, no name twice. Error(kData) naming source, rule and numbers; Error(kIo)
// if the file cannot be read.
SafetensorsFile load_safetensors(const std::string& path);
SafetensorsFile load_safetensors(const ByteSource& source);
SafetensorsFile parse_safetensors(std::span<const uint8_t> bytes, const std::string& source);

// The file's description of its tensors, in the order of their data and with its own dtype names ("BF16"). All the rules above
// are checked, but no tensor is read.
SafetensorsHeader read_safetensors_info(const std::string& path);
SafetensorsHeader read_safetensors_info(const ByteSource& source);
// What the format calls a dtype: "F32".
const char* stored_name(Dtype dtype);

// Writes atomically (base/file.h). The same content gives the same bytes. Error(kValue) for a duplicate or empty name.
void save_safetensors(const std::string& path, const SafetensorsFile& file);

// For files whose tensors are not in memory at a time: tensor i of the file, which in the SafetensorsFile has only the right
// dtype and shape (an expanded scalar takes no memory).
using TensorOf = std::function<Tensor(size_t)>;
// The same file, where each tensor is asked for in its turn, and dropped when it has been written.
void save_safetensors(const std::string& path, const SafetensorsFile& file, const TensorOf& tensor);

}  // namespace vitrail
