// NumPy's archives; and what is no archive, as one array.
#include "models/weights/formats/npz.h"

#include <cstring>

#include "models/weights/formats/npy.h"
#include "tests/fuzz/support/target.h"

using namespace vitrail;

namespace {

void read_array(const uint8_t* data, int64_t size) {
  int64_t at = 0;
  const auto read = [&](void* to, int64_t bytes) {
    if (bytes > 0) std::memcpy(to, data + at, static_cast<size_t>(bytes));
    at += bytes;
  };
  read_npy_header(read, size, "file");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::refuse_or_read([&] {
    if (size < 2 || data[0] != 'P') return read_array(data, static_cast<int64_t>(size));
    const ZipArchive archive(source_of(fuzz::bytes_of(data, size), "file"));
    if (is_npz(archive)) read_npz(archive);
  });
}
