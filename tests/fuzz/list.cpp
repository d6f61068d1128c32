// Lists of pictures: a table and JSON lines.
#include <string>

#include "data/sets/list.h"
#include "tests/fuzz/support/target.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"file.csv", "file.jsonl"}) fuzz::refuse_or_read([&] { parse_list(text, name); });
  return 0;
}
