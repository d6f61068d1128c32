#include "models/weights/export/exported.h"

#include "base/json.h"
#include "base/text.h"

namespace vitrail::weights {

void Limits::finish() const {
  if (lacking_.empty()) return;
  fail(ErrorKind::kValue, "convert", library_, " has no such model: ", listed(lacking_, 4, 110),
       ". Hint: --to vitrail and --to onnx can say everything.");
}

std::string architecture_of(const models::Classifier& model) {
  const std::string text = model.config_json();
  const JsonDocument json(text, "model");
  JsonObject object(json.root(), "model");
  return object.text("architecture");
}

}  // namespace vitrail::weights
