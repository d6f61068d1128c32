#include "models/weights/families/sidecar.h"

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "models/weights/families/sidecar_fields.h"

namespace vitrail::weights {

namespace fs = std::filesystem;

Sidecar read_sidecar(const std::string& folder) {
  Sidecar s;
  const auto path = [&](const char* name) { return (fs::path(folder) / name).string(); };
  std::error_code ignored;
  const auto there = [&](const char* name) { return fs::is_regular_file(path(name), ignored); };
  if (there("open_clip_config.json")) {
    s.file = path("open_clip_config.json");
    read_open_clip_config(s.file, s);
  } else if (there("config.json")) {
    s.file = path("config.json");
    const JsonDocument json(read_text_file(s.file), s.file);
    JsonObject o(json.root(), s.file, "", ErrorKind::kData);
    if (o.has("model_type"))
      read_hugging_face_config(s.file, s);
    else if (o.has("architecture") || o.has("pretrained_cfg"))
      read_timm_config(s.file, s);
    else
      s.file.clear();
  }
  for (const char* name : {"processor_config.json", "preprocessor_config.json"}) {
    if (!there(name) || s.kind == "timm" || s.kind == "open_clip") continue;
    s.preprocessing_file = path(name);
    s.preprocessing = read_preprocessor(s.preprocessing_file, s.architecture, s.img_size.value_or(models::Size2d(224)));
    break;  // processor_config.json wins: checkpoints-today.md, 6
  }
  return s;
}

}  // namespace vitrail::weights
