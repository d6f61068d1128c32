// What the pixels of pictures say: extents, channels, mean and standard deviation.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

struct PictureFacts {
  int64_t channels = 0, height = 0, width = 0;  // as decoded; channels 0: could not be read
  bool grey = false;                            // one channel, or three that are equal everywhere
  bool one_colour = false;                      // every pixel is the same
  // Per channel, of pixels in [0, 1]: the mean, and the mean of the squares. One channel counts as three equal ones.
  std::array<double, 3> mean{}, square{};
};

// Of u8 [1 or 3, H, W]; Error(kShape) for another tensor. The sums are exact.
PictureFacts facts_of(const Tensor& image);

// Over pictures of equal weight, whatever their size: mean = average of their means, std = sqrt(average of the mean squares -
// mean^2). For pictures of one size these are mean and standard deviation of all pixels.
struct ChannelStatistics {
  std::vector<double> mean, std;
};
// For `channels` 3, or 1 where every picture is grey. A std of 0 (all pictures of one colour) becomes 1: it divides. Pictures
// that could not be read do not count; without any other, mean and std are 0.5.
ChannelStatistics statistics_of(const std::vector<PictureFacts>& facts, int64_t channels);

}  // namespace vitrail
