// Fields that the configurations of several libraries have in the same form. Errors as JsonObject gives them.
#pragma once

#include <optional>

#include "base/json.h"
#include "models/config.h"

namespace vitrail::weights {

// Nothing if the key is missing or null.
inline std::optional<int64_t> whole(JsonObject& object, const char* key) {
  if (!object.has(key) || object.is_null(key)) return std::nullopt;
  return object.integer(key, 0, int64_t{1} << 31);
}

// A side, or [height, width]; nothing as above.
inline std::optional<models::Size2d> size(JsonObject& object, const char* key) {
  if (!object.has(key) || object.is_null(key)) return std::nullopt;
  if (!object.is_list(key)) return models::Size2d(object.integer(key, 1, models::kMaxSide));
  const std::vector<int64_t> sides = object.integers_or(key, 1, models::kMaxSide, {});
  if (sides.size() != 2) object.refuse(key, "must be one side or [height, width]");
  return models::Size2d(sides[0], sides[1]);
}

}  // namespace vitrail::weights
