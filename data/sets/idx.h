// IDX, the format of the MNIST family: a magic number (two zero bytes, element type, rank), the extents as big-endian
// 32-bit numbers, then the elements in row-major order, big-endian too. Y. LeCun, C. Cortes, C. Burges, "The MNIST database
// of handwritten digits", section "The IDX file format". The files come plain or packed by gzip, told apart by content.
//
// A file is read in pieces: a header that the file cannot fill is refused before anything is unpacked, and a packed file that
// ends early or late is noticed without keeping what it unpacks to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/byte_source.h"
#include "tensor/tensor.h"

namespace vitrail {

enum class IdxType : uint8_t { kU8 = 0x08, kI8 = 0x09, kI16 = 0x0b, kI32 = 0x0c, kF32 = 0x0d, kF64 = 0x0e };

struct IdxHeader {
  IdxType type = IdxType::kU8;
  Shape shape;
  int64_t header_bytes = 0, data_bytes = 0;
};

// "u8", "i32", ...
const char* name_of(IdxType type);

// Reads the header and makes sure that exactly the promised bytes follow; keeps none of them. All functions here throw
// Error(kData) if the magic is wrong, the rank is not in [1, 8], an extent is not positive, the size differs from what the
// extents say (bytes too few or too many), a packed file claims more than 64 MiB and 200 times its size, or the gzip stream is
// damaged or ends early; Error(kIo) if the file cannot be read.
IdxHeader check_idx(const ByteSource& source);
IdxHeader check_idx(const std::string& path);

// All elements as a tensor of the file's extents: u8 as they are, i32 as i64. Error(kData) for other types, or if the rank is
// not `rank`.
Tensor decode_idx(const ByteSource& source, int rank);
Tensor decode_idx(const std::vector<uint8_t>& bytes, const std::string& name, int rank);
Tensor read_idx(const std::string& path, int rank);

// Picture `index` of a file of pictures (u8, rank 3): u8 [1, H, W]. The other pictures are checked for presence, not kept.
// Error(kValue) if there is no such picture.
Tensor read_idx_picture(const std::string& path, int64_t index);

}  // namespace vitrail
