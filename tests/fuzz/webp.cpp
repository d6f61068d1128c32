// WebP pictures (through libwebp).
#include "data/image/image_formats.h"
#include "tests/fuzz/support/target.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // As decode_image() does: the decoder is for bytes that begin like such a file.
  if (!is_webp(fuzz::bytes_of(data, size))) return 0;
  return fuzz::refuse_or_read([&] {
    std::string note;
    decode_webp(fuzz::bytes_of(data, size), "image", {.limits = {2048, 1 << 20}, .alpha = AlphaRule::kWhite}, &note);
  });
}
