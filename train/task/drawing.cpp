#include "train/task/drawing.h"

#include <algorithm>
#include <cmath>

#include "data/image/image.h"
#include "tensor/ops.h"

namespace vitrail {

namespace {

void fill_rectangle(Tensor& picture, int64_t top, int64_t bottom, int64_t right, const uint8_t (&colour)[3]) {
  const int64_t H = picture.size(1), W = picture.size(2);
  uint8_t* pixels = picture.mutable_data<uint8_t>();
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t y = top; y < bottom; ++y) std::fill_n(pixels + (c * H + y) * W, right, colour[c]);
}

}  // namespace

Tensor with_bars(const Tensor& image, const std::vector<Bar>& bars) {
  constexpr int64_t kBarHeight = 4, kGap = 1;
  constexpr uint8_t kGreen[] = {0, 158, 115}, kRed[] = {213, 94, 0}, kGrey[] = {128, 128, 128};
  const Tensor picture = convert_channels(image, 3);
  const int64_t H = picture.size(1), W = picture.size(2);
  Tensor result = zeros({3, H + static_cast<int64_t>(bars.size()) * (kBarHeight + kGap), W}, Dtype::u8);
  Tensor place = slice(result, 1, 0, H);
  copy_(place, picture);
  for (size_t i = 0; i < bars.size(); ++i) {
    const int64_t top = H + kGap + static_cast<int64_t>(i) * (kBarHeight + kGap);
    const BarColour colour = bars[i].colour;
    fill_rectangle(result, top, top + kBarHeight, std::llround(bars[i].part * static_cast<double>(W)),
                   colour == BarColour::kRight   ? kGreen
                   : colour == BarColour::kWrong ? kRed
                                                 : kGrey);
  }
  return result;
}

}  // namespace vitrail
