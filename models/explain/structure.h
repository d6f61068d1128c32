// What a model has learnt, beyond one picture: how far its heads look, what its positions are like, which patterns it looks
// for.
#pragma once

#include <string>
#include <vector>

#include "models/config.h"
#include "models/explain/principal.h"

namespace vitrail::models::explain {

// The mean distance in pixels between a patch and what it attends to, weighted by attention, of each layer and head
// (Dosovitskiy et al., arXiv:2010.11929, figure 7, right; there over many images): between centres of patches, the prefix
// tokens left out of both and the rest of each row divided by its sum. attention [L, H, T, T] -> f64 [L, H]. Error(kShape) if
// the tokens do not fit.
Tensor attention_distance(const Tensor& attention, int64_t prefix, Size2d grid, Size2d image);
// The same if each patch attended to all alike: far above it nothing can be.
double even_distance(Size2d grid, Size2d image);

// Cosines between the positions of patches [N, D] (the same, figure 7, middle): f64 [N, N]; those of a vector of zeros are 0.
Tensor position_similarity(const Tensor& positions);

// A similarity [N, N] as a picture, a grid of grids: u8 [3, H, W] in which the small picture at (y, x) shows how similar the
// position of patch (y, x) is to that of every other: from -1 to 1 in the colours of overlay.h. Of large grids every k-th row
// and column is shown, so that no side has more than `most_side` small pictures.
Tensor similarity_picture(const Tensor& similarity, Size2d grid, int64_t most_side = 16);

struct FilterPicture {
  Tensor picture;     // u8 [3 or 1, H, W]
  int64_t count = 0;  // components shown
  double share = 0;   // of the variance of the filters that they have together
};
// The first principal components of filters [D, C, h, w] (the same, figure 7, left), at most `count`, side by side, each
// stretched so that 0 is grey and its largest value white or black, in each channel alike. C is 1 or 3; of others the mean over
// channels is shown.
FilterPicture filter_picture(const Tensor& filters, int64_t count = 28);

}  // namespace vitrail::models::explain
