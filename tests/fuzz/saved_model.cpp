// A saved model: one safetensors file with the card in its metadata.
#include "models/weights/save.h"
#include "tests/fuzz/support/target.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::Scratch scratch;
  const std::string path = scratch.write(kModelFile, data, size);
  return fuzz::refuse_or_read([&] { load_model(path); });
}
