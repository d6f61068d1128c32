#include "cli/picture_input.h"

#include "data/sets/idx.h"
#include "data/sets/registry.h"

namespace vitrail::cli {

Tensor read_picture(const std::string& path, const std::optional<int64_t>& index, const DecodeOptions& options,
                    std::string* note) {
  if (index && is_dataset_spec(path)) return open_dataset(path, Split::kTest)->sample(*index).image;
  if (index) return read_idx_picture(path, *index);
  return read_image(path, options, note);
}

}  // namespace vitrail::cli
