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

}  // namespace vitrail::models
