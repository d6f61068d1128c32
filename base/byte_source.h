// Bytes at known places: a file or memory. Readers take what they need from where it lies, instead of a copy of the whole.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/file.h"

namespace vitrail {

struct ByteSource {
  std::string name;  // for messages, fit for them (escaped_path)
  int64_t size = 0;
  // `bytes` bytes from `offset`; the caller stays within size.
  std::function<void(int64_t offset, void* to, int64_t bytes)> read_at;
};

// The file, or the memory, must outlive its source.
ByteSource source_of(const InputFile& file);
ByteSource source_of(std::span<const uint8_t> bytes, const std::string& name);

}  // namespace vitrail
