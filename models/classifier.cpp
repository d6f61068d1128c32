#include "models/classifier.h"

namespace vitrail::models {

void Classifier::check_images(const char* op, const Variable& images) const {
  const Shape& s = images.shape();
  check(s.size() == 4 && s[1] == in_chans() && s[2] == img_height() && s[3] == img_width(), ErrorKind::kShape, op,
        "images do not fit the model: images is ", s, ", the model takes [B, ", in_chans(), ", ", img_height(), ", ",
        img_width(), "]. Hint: resize the images or build the model with their size and channels.");
}

Variable Classifier::pooled_features(const Variable&) {
  fail(ErrorKind::kValue, "features", "this architecture does not say which layer's inputs are its features.");
}

int64_t Classifier::fixed_stages() {
  nn::Linear* last = last_linear();
  if (last == nullptr || last->frozen()) return 0;
  for (const nn::NamedParameter& entry : named_parameters())
    if (entry.parameter->requires_grad() && entry.parameter != &last->weight && entry.parameter != &last->bias) return 0;
  for (const auto& [path, module] : named_modules())
    if (!path.empty() && module != last && module->training()) return 0;
  return 1;
}

Variable Classifier::run_stages(const Variable& images, int64_t stages) {
  check(stages == 1, ErrorKind::kValue, "classifier", "the model has one stage before its head: stages is ", stages, ".");
  return pooled_features(images);
}

Variable Classifier::finish(const Variable& x, int64_t stages) {
  check(stages == 1 && last_linear() != nullptr, ErrorKind::kValue, "classifier",
        "the model has one stage before its head: stages is ", stages, ".");
  return (*last_linear())(x);
}

std::string Classifier::describe_stages(int64_t) const { return "all but the head"; }

}  // namespace vitrail::models
