// Stored calls of operators; the operator is named in the metadata.
#include "tests/fuzz/support/target.h"
#include "tests/runop/run_op.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::refuse_or_read([&] {
    const SafetensorsFile file = parse_safetensors(fuzz::bytes_of(data, size), "file");
    for (const auto& [key, value] : file.metadata)
      if (key == "op") onnx::run_op(value, file, "file");
  });
}
