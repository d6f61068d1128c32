// Configurations as JSON: of a model, and of a training run.
#include "models/presets.h"
#include "tests/fuzz/support/target.h"
#include "train/config.h"

using namespace vitrail;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = fuzz::text_of(data, size);
  fuzz::refuse_or_read([&] { models::config_from_json(text); });
  return fuzz::refuse_or_read([&] { train_config_from_json(text); });
}
