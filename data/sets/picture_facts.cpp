#include "data/sets/picture_facts.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/view.h"

namespace vitrail {

PictureFacts facts_of(const Tensor& image) {
  check(image.defined() && image.dtype() == Dtype::u8 && image.dim() == 3 && (image.size(0) == 1 || image.size(0) == 3) &&
            image.numel() > 0,
        ErrorKind::kShape, "facts_of", "needs a u8 image [1 or 3, H, W]: it is ", image.shape());
  const Tensor x = contiguous(image);
  PictureFacts facts{.channels = x.size(0), .height = x.size(1), .width = x.size(2)};
  const int64_t pixels = facts.height * facts.width;
  const uint8_t* plane = x.data<uint8_t>();
  facts.one_colour = true;
  for (size_t c = 0; c < static_cast<size_t>(facts.channels); ++c, plane += pixels) {
    std::array<int64_t, 256> counts{};
    for (int64_t i = 0; i < pixels; ++i) ++counts[plane[i]];
    int64_t sum = 0, squares = 0;
    for (int64_t v = 0; v < 256; ++v) sum += v * counts[v], squares += v * v * counts[v];
    facts.one_colour = facts.one_colour && counts[plane[0]] == pixels;
    facts.mean[c] = static_cast<double>(sum) / (255.0 * static_cast<double>(pixels));
    facts.square[c] = static_cast<double>(squares) / (255.0 * 255.0 * static_cast<double>(pixels));
  }
  const uint8_t* first = x.data<uint8_t>();
  const auto bytes = static_cast<size_t>(pixels);
  facts.grey = facts.channels == 1 ||
               (std::memcmp(first, first + pixels, bytes) == 0 && std::memcmp(first, first + 2 * pixels, bytes) == 0);
  if (facts.channels == 1) {
    facts.mean.fill(facts.mean[0]);
    facts.square.fill(facts.square[0]);
  }
  return facts;
}

ChannelStatistics statistics_of(const std::vector<PictureFacts>& facts, int64_t channels) {
  ChannelStatistics result;
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    double mean = 0, square = 0, count = 0;
    for (const PictureFacts& picture : facts) {
      if (picture.channels == 0) continue;
      mean += picture.mean[c], square += picture.square[c], count += 1;
    }
    if (count > 0) mean /= count, square /= count;
    const double variance = std::max(0.0, square - mean * mean);
    const double deviation = variance > 1e-12 ? std::sqrt(variance) : 1;  // below: rounding of the sums
    result.mean.push_back(count > 0 ? mean : 0.5);
    result.std.push_back(count > 0 ? deviation : 0.5);
  }
  return result;
}

}  // namespace vitrail
