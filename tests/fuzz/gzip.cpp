// Gzip streams, to at most 1 MiB.
#include "base/gzip.h"
#include "tests/fuzz/support/target.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::refuse_or_read([&] { gunzip({data, data + size}, "file", 1 << 20); });
}
