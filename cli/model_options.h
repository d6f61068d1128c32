// The options by which commands open a model, and what they say about one that another program saved.
#pragma once

#include <string>

#include "base/json_writer.h"
#include "cli/command.h"
#include "models/weights/foreign.h"

namespace vitrail::cli {

// "--model": what help says of it.
extern const char* const kModelHelp;

struct ModelFlags {
  int64_t num_heads = 0;
  std::string img_size, weights, preprocess;
  bool no_exif = false, strict = false;
};

// --num-heads, --img-size, --weights, --preprocess, --no-exif, --strict.
void add_model_flags(Command& command, ModelFlags& flags);
// Error(kValue) for a size that is neither "N" nor "H,W".
OpenOptions open_options(const ModelFlags& flags);

// What the model is made of and where each part came from, line by line; what was loaded, renamed, rearranged, left out.
std::string origin_text(const Origin& origin);
void origin_json(JsonWriter& json, const Origin& origin);
// On standard error: what was assumed, and tensors that the model does not have.
void print_origin_notes(const Origin& origin);

// "32 x 32 x 3: short side to 35, bicubic, centre; mean 0.5 0.5 0.5, std ..."
std::string preprocessing_text(const Preprocessing& preprocessing);

}  // namespace vitrail::cli
