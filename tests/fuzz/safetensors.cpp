// Safetensors files.
#include "tensor/safetensors.h"
#include "tests/fuzz/support/target.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::refuse_or_read([&] { parse_safetensors(fuzz::bytes_of(data, size), "file"); });
}
