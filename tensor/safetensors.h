// safetensors: named tensors in one file, safe to open from strangers (github.com/huggingface/safetensors, "Format"):
// 8 bytes u64 little-endian length of the header, the header as JSON, then the data without holes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tensor/safetensors_header.h"
#include "tensor/tensor.h"

namespace vitrail {

struct SafetensorsFile {
  std::vector<std::pair<std::string, Tensor>> tensors;  // in the order of their data
  std::vector<std::pair<std::string, std::string>> metadata;
};

// F32, F64, I64 and U8 come as they are; BOOL as u8; F16 and BF16 as f32; I8, I16, I32, U16, U32 and U64 as i64. A U64 above
// 2^63 - 1 is Error(kData): no tensor of ours holds it.
// Strict: header of at most 100 MB that fits the file (checked before it is read; tensor/safetensors_header.h), known
// dtypes, checked products, spans that tile the data exactly, no name twice. Error(kData) naming source, rule and numbers;
// Error(kIo) if the file cannot be read.
SafetensorsFile load_safetensors(const std::string& path);
SafetensorsFile parse_safetensors(std::span<const uint8_t> bytes, const std::string& source);

// What the file says of its tensors, in the order of their data and in its own dtypes ("BF16"), with all the rules above
// checked; no tensor is read.
SafetensorsHeader read_safetensors_info(const std::string& path);

// Writes atomically (base/file.h). The same content gives the same bytes. Error(kValue) for a name twice or empty.
void save_safetensors(const std::string& path, const SafetensorsFile& file);

}  // namespace vitrail
