#include "nn/conv.h"

#include "autograd/ops/math.h"
#include "nn/init.h"

namespace vitrail::nn {

Conv2d::Conv2d(int64_t in_channels, int64_t out_channels, int64_t kernel_h, int64_t kernel_w, Rng& rng,
               const Conv2dOptions& conv, bool with_bias)
    : options(conv) {
  check(in_channels >= 1 && out_channels >= 1 && kernel_h >= 1 && kernel_w >= 1 && conv.groups >= 1 &&
            in_channels % conv.groups == 0,
        ErrorKind::kValue, "Conv2d", "sizes must be positive and groups divide the channels: in is ", in_channels, ", out is ",
        out_channels, ", kernel is ", kernel_h, " x ", kernel_w, ", groups is ", conv.groups);
  const Shape shape{out_channels, in_channels / conv.groups, kernel_h, kernel_w};
  weight = Variable(fan_in_uniform(shape, fan_in(shape), rng), true);
  register_parameter("weight", weight);
  if (!with_bias) return;
  bias = Variable(fan_in_uniform({out_channels}, fan_in(shape), rng), true);
  register_parameter("bias", bias);
}

int64_t Conv2d::macs(const Shape&, const Shape& output) const {
  // LAB 10.2 BEGIN  Every number of the output sees a window of the channels of its group: fan_in(weight.shape()) numbers.
  return checked_numel(output) * fan_in(weight.shape());
  // LAB 10.2 END
}

}  // namespace vitrail::nn
