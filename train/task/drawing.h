// A picture with bars of probability below it.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

enum class BarColour { kRight, kWrong, kUnknown };  // green, red, grey

struct Bar {
  double part = 0;  // of the width
  BarColour colour = BarColour::kUnknown;
};

constexpr size_t kMostBars = 3;

// u8 [C, H, W] -> u8 [3, H + 5 bars, W].
Tensor with_bars(const Tensor& image, const std::vector<Bar>& bars);

}  // namespace vitrail
