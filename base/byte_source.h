// Random access to the bytes of a file or of memory. Readers fetch the ranges that they need instead of loading the whole.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/file.h"

namespace vitrail {

struct ByteSource {
  std::string name;  // for messages, already escaped (escaped_path)
  int64_t size = 0;
  // Copies bytes [offset, offset + bytes) to `to`. The caller must stay within size.
  std::function<void(int64_t offset, void* to, int64_t bytes)> read_at;
};

// The file, or the memory, must outlive its source.
ByteSource source_of(const InputFile& file);
ByteSource source_of(std::span<const uint8_t> bytes, const std::string& name);

}  // namespace vitrail
