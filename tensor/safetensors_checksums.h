// Checksums in a safetensors file: the format has none, and a flipped bit in a weight is a weight like any other.
#pragma once

#include <string>

#include "tensor/safetensors.h"

namespace vitrail {

// The key in the file's metadata: {"metadata": {key: "e3069283", ...}, "tensors": {name: "8a9136aa", ...}}, the CRC-32C of each
// other text, and of each tensor's dtype, shape and data, in hexadecimal.
constexpr const char* kChecksums = "vitrail_checksums";

// Adds that entry for all that stands in the file; save_safetensors() writes it.
void add_checksums(SafetensorsFile& file);
// The same where the tensors are not in memory at a time.
void add_checksums(SafetensorsFile& file, const TensorOf& tensor);

// Holds the tensors of a file that has been read against its checksums, without reading it again; the other texts are left to
// verify_checksums(): a person may edit them. False if the file has none. Error(kData) naming `source` and the first tensor
// that differs, that has no checksum, or is missing.
bool check_tensors(const SafetensorsFile& file, const std::string& source);

// Reads the whole file, a piece at a time, and holds it against its checksums. Its header, as read_safetensors_info() gives it.
// Error(kData) naming the first tensor or text that differs, that has no checksum, or is missing; or if the file has no
// checksums; all errors of read_safetensors_info().
SafetensorsHeader verify_checksums(const std::string& path);

}  // namespace vitrail
