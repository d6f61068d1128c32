// Helpers of the data tests: error messages, generated files, and real files if they are available.
#pragma once

#include <doctest/doctest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "tensor/rng.h"
#include "tests/support/scratch_folder.h"

namespace vitrail::testing {

using Bytes = std::vector<uint8_t>;

// The message of the Error that fn throws, which must be of this kind; "nothing was thrown" otherwise.
template <class Fn>
std::string refusal(ErrorKind kind, Fn&& fn) {
  try {
    fn();
  } catch (const Error& error) {
    CHECK(error.kind() == kind);
    return error.what();
  }
  return "nothing was thrown";
}

#define CHECK_SAYS(message, part) CHECK_MESSAGE((message).find(part) != std::string::npos, (message))

class Folder : public ScratchFolder {
 public:
  void write(const std::string& name, const Bytes& bytes) const {
    write_file_atomically(file(name), {std::span<const uint8_t>(bytes)});
  }
};

// An IDX file of unsigned bytes; element i is i % modulus.
inline Bytes idx_bytes(const std::vector<uint32_t>& extents, int modulus = 10) {
  Bytes bytes{0, 0, 8, static_cast<uint8_t>(extents.size())};
  uint64_t count = 1;
  for (uint32_t e : extents) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(e >> shift));
    count *= e;
  }
  for (uint64_t i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(i % static_cast<uint64_t>(modulus)));
  return bytes;
}

inline Bytes gzip_bytes(const Bytes& plain) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes out(deflateBound(&stream, plain.size()) + 64);
  Bytes in = plain;
  stream.next_in = in.data();
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.erase(out.end() - stream.avail_out, out.end());
  deflateEnd(&stream);
  return out;
}

// u8 [C, H, W] of random values, the same at each call.
inline Tensor noise_picture(int64_t channels, int64_t height, int64_t width) {
  return to(rand_int({channels, height, width}, 0, 256, Rng(4)), Dtype::u8);
}

// A copy with one byte changed, with its end cut off, or with a byte inserted: `number` chooses.
inline Bytes mutant(const Bytes& original, uint64_t number) {
  const Rng rng(17, number);
  Bytes bytes = original;
  const auto at = static_cast<std::ptrdiff_t>(rng.below(0, bytes.size()));
  const auto value = static_cast<uint8_t>(rng.below(1, 256));
  switch (rng.below(2, 4)) {
    case 0: bytes.resize(static_cast<size_t>(at)); break;
    case 1: bytes.insert(bytes.begin() + at, value); break;
    default: bytes[static_cast<size_t>(at)] ^= static_cast<uint8_t>(value | 1);
  }
  return bytes;
}

// Runs decode on `count` mutants: each must be decoded or refused with Error(kData). Any other result fails the test.
template <class Decode>
int refused_mutants(const Bytes& original, int count, Decode&& decode) {
  int refused = 0;
  for (int i = 0; i < count; ++i) {
    try {
      decode(mutant(original, static_cast<uint64_t>(i)));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kData) FAIL("mutant ", i, " gives another kind of error: ", std::string(error.what()));
      ++refused;
    } catch (...) {
      FAIL("mutant ", i, " gives something that is not an Error");
    }
  }
  return refused;
}

// The folder of real files ($VITRAIL_DATA, else ../shared/data).
inline std::string real_data(const std::string& name) {
  const char* folder = std::getenv("VITRAIL_DATA");
  return std::string(folder != nullptr ? folder : "../shared/data") + "/" + name;
}

}  // namespace vitrail::testing
