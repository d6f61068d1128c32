// PNG images (through libpng).
#include "data/image/image_formats.h"
#include "tests/fuzz/support/target.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::refuse_or_read([&] {
    std::string note;
    decode_png(fuzz::bytes_of(data, size), "image", {.limits = {2048, 1 << 20}}, &note);
  });
}
