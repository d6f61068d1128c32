// JPEG pictures (through libjpeg-turbo), whole and at a fraction of their size.
#include "data/image/image_formats.h"
#include "tests/fuzz/support/target.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // As decode_image() does: the decoder is for bytes that begin like such a file.
  if (!is_jpeg(fuzz::bytes_of(data, size))) return 0;
  return fuzz::refuse_or_read([&] {
           std::string note;
           decode_jpeg(fuzz::bytes_of(data, size), "image", {.limits = {2048, 1 << 20}}, &note);
         }) +
         fuzz::refuse_or_read([&] {
           std::string note;
           decode_jpeg(fuzz::bytes_of(data, size), "image", {.limits = {2048, 1 << 20}, .min_side = 4}, &note);
         });
}
