// The picture that a command is given: a file, or number N of an IDX file or of a data set.
#pragma once

#include <optional>
#include <string>

#include "data/image/image.h"

namespace vitrail::cli {

// With an index: of the part to test on where `path` is a data set, else of an IDX file. `note` receives what the decoder says
// of a picture file (decode_image).
Tensor read_picture(const std::string& path, const std::optional<int64_t>& index, const DecodeOptions& options,
                    std::string* note);

}  // namespace vitrail::cli
