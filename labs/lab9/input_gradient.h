// Which pixels would change the answer most: the gradient of one logit with respect to the picture (Simonyan et al.,
// arXiv:1312.6034, section 3.1).
#pragma once

#include "models/classifier.h"

namespace lab {

// d logit / d image for one image [1, C, H, W]: [1, C, H, W], in the image's dtype. In evaluation mode, which is set back
// afterwards; the parameters' gradients and whether they require any stay as they were. Error(kValue) for a class that the
// model does not have.
vitrail::Tensor input_gradient(vitrail::models::Classifier& model, const vitrail::Tensor& image, int64_t target);

// The largest absolute value over the channels, [1, C, H, W] -> [H, W]: the map that the paper shows.
vitrail::Tensor saliency(const vitrail::Tensor& gradient);

}  // namespace lab
