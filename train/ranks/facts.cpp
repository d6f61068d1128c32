#include "train/ranks/facts.h"

#include <cstdio>
#include <filesystem>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/version.h"
#include "tensor/machine/simd.h"
#include "train/checkpoint.h"

namespace vitrail {

namespace {

uint32_t crc_of(const std::string& text, uint32_t before = 0) {
  return crc32c({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, before);
}

// Paths differ from node to node; the names of the files in their folders do not, nor do their sizes.
std::string listing(const Dataset& data) {
  uint32_t crc = 0;
  uint64_t bytes = 0;
  for (int64_t i = 0; i < data.size(); ++i) {
    const std::string name = data.sample_name(i);
    crc = crc_of(name.substr(name.find_last_of('/') + 1), crc);
    std::error_code error;  // who opens it says what is wrong
    const uint64_t size = data.reads_files() ? std::filesystem::file_size(name, error) : 0;
    if (!error) bytes += size;
  }
  char text[120];
  std::snprintf(text, sizeof text, "%lld samples, names %08x, %llu bytes", static_cast<long long>(data.size()), crc,
                static_cast<unsigned long long>(bytes));
  return text;
}

}  // namespace

Facts facts_of(Task& task, const Dataset& train, const Dataset* test, const TrainConfig& config, int64_t step,
               const GradientSumOptions& options) {
  std::string layout;
  for (const auto& [name, tensor] : task.model().state_dict())
    layout += cat(name, tensor.shape(), name_of(tensor.dtype()), ";");
  char crc[16];
  std::snprintf(crc, sizeof crc, "%08x", crc_of(layout));
  // What depends on another comes after it: the recipe and the model may follow from the data.
  return {{"program version", kVersion},
          {"build (make ARCH=...)", cat("vectors of ", simd::kLanes, " floats", simd::kFusedMultiplyAdd ? ", fused" : "")},
          {"data set", data_identity(train, test)},
          {"list of training files", listing(train)},
          {"list of test files", test ? listing(*test) : ""},
          {"preprocessing", preprocessing_to_json(task.card().preprocessing)},
          {"recipe", recipe_json(config)},
          {"model", task.architecture()},
          {"layout of the parameters", crc},
          {"update to begin with", std::to_string(step)},
          {"setting of --shard-optimizer, --compress and --no-overlap",
           cat(options.shard, " ", options.compress, " ", !options.overlap)},
          // Messages of another size fit no receive().
          {"--bucket", std::to_string(options.bucket_bytes)},
          // All save together.
          {"--save-every", std::to_string(config.save_every)},
          {"--save-steps", std::to_string(config.save_steps)}};
}

}  // namespace vitrail
