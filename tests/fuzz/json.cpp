// The strict JSON reader: any text, read twice and written once.
#include "base/json.h"
#include "tests/fuzz/support/target.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::refuse_or_read([&] {
    const std::string text = fuzz::text_of(data, size);
    tidy_json(tidy_json(text, "text"), "tidy text");
  });
}
