// IDX files: labels (rank 1) and images (rank 3).
#include "data/sets/idx.h"
#include "tests/fuzz/support/target.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (int rank : {1, 3}) fuzz::refuse_or_read([&] { decode_idx({data, data + size}, "file", rank); });
  return 0;
}
