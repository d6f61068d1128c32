// Gzip streams, to at most 1 MiB.
#include <vector>

#include "base/gzip.h"
#include "tests/fuzz/support/target.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::refuse_or_read([&] {
    const ByteSource source = source_of(std::span(data, size), "file");
    UnpackedStream stream(source);
    std::vector<uint8_t> out(size_t{1} << 20);
    stream.read(out.data(), static_cast<int64_t>(out.size()));
  });
}
