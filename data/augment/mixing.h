// Pictures of a batch mixed with one another, and their labels with them.
#pragma once

#include <cstdint>
#include <vector>

#include "data/augment/random_ops.h"
#include "data/batch.h"

namespace vitrail::augment {

struct Mixing {
  double mixup = 0;                 // alpha of mixup; 0: none
  double cutmix = 0;                // alpha of CutMix; 0: none
  double switch_probability = 0.5;  // of CutMix, where both are on

  bool any() const { return mixup > 0 || cutmix > 0; }
  friend bool operator==(const Mixing&, const Mixing&) = default;
};

// Beta(alpha, alpha) in [0, 1], alpha > 0: g / (g + h) of two Gamma(alpha) numbers (Marsaglia and Tsang, "A simple method for
// generating gamma variables", ACM TOMS 26, 2000).
double draw_beta(double alpha, const Rng& rng);

// How `count` consecutive pictures height x width are mixed. Picture i keeps the part lambda of itself and takes the rest from
// picture partners[i]: a random permutation, so that any count works; a picture that is its own partner stays as it is.
struct Mix {
  double lambda = 1;
  std::vector<int64_t> partners;
  // CutMix: this rectangle is the partner's; empty: mixup. The rectangle has its centre anywhere and is cut at the border;
  // lambda is then what is really left of the picture.
  Rectangle cut{};
};
Mix draw_mix(const Mixing& mixing, int64_t count, int64_t height, int64_t width, const Rng& rng);

// Mixes the pictures [begin, end) of the batch among themselves, in place.
//   mixup (Zhang et al., arXiv:1710.09412, equation 1): x_i = lambda x_i + (1 - lambda) x_j, lambda ~ Beta(alpha, alpha)
//   CutMix (Yun et al., arXiv:1905.04899, section 3.1): a rectangle of the part 1 - lambda of x_j is laid over x_i
//   soft_labels_i = lambda onehot(label_i) + (1 - lambda) onehot(label_j); labels_i is label_i if lambda >= 1/2, else label_j
// Of a multi-label batch (Batch::class_labels) the rows of 0 and 1 are mixed in the same way, and `labels` stays as it is.
// Error(kValue) if a label is outside [0, classes).
void mix(Batch& batch, int64_t begin, int64_t end, int64_t classes, const Mixing& mixing, const Rng& rng);

}  // namespace vitrail::augment
