#include "base/file.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "models/weights/families/sidecar_fields.h"

namespace vitrail::weights {

namespace {

// As deep as JsonDocument lets it nest.
void write_without_nulls(JsonObject object, const std::string& path, const std::string& place, JsonWriter& json) {
  json.begin_object();
  for (const std::string& key : object.keys()) {
    if (object.is_null(key)) continue;
    json.key(key);
    const std::string text = object.json_text(key), inside = place.empty() ? key : place + "." + key;
    if (text.starts_with("{"))
      write_without_nulls(JsonObject(object.value(key), path, inside, ErrorKind::kData), path, inside, json);
    else
      json.raw(text);
  }
  json.end_object();
}

}  // namespace

std::string sidecar_text(const std::string& path) {
  const JsonDocument document(read_text_file(path), path);
  JsonWriter json;
  write_without_nulls(JsonObject(document.root(), path, "", ErrorKind::kData), path, "", json);
  return json.text();
}

}  // namespace vitrail::weights
