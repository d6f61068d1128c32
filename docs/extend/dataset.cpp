// A new data set: stripes, level (class 0) or upright (class 1), drawn on request.
// In the project: data/sets/stripes.cpp, and a line in the table of data/sets/registry.cpp, after which
// `vitrail train --data stripes` knows it.
#include <cstdio>

#include "data/loader.h"

namespace vitrail {

class Stripes : public Dataset {
 public:
  explicit Stripes(int64_t count)
      : Dataset({.name = "stripes",
                 .channels = 1,
                 .height = 16,
                 .width = 16,
                 .class_names = {"level", "upright"},
                 .mean = {0.5},  // of pixels in [0, 1], measured over the training images
                 .std = {0.5},
                 .mirror_keeps_class = true}),
        count_(count) {}

  int64_t size() const override { return count_; }
  int64_t label(int64_t index) const override { return index % 2; }

  // Depends on the index alone, so that any thread may request any picture in any order.
  Sample sample(int64_t index) const override {
    check_index(index);
    const int64_t period = 2 + index / 2 % 6;
    Tensor image = zeros({1, height(), width()}, Dtype::u8);
    uint8_t* pixels = image.mutable_data<uint8_t>();
    for (int64_t y = 0; y < height(); ++y)
      for (int64_t x = 0; x < width(); ++x)
        pixels[y * width() + x] = (label(index) == 0 ? y : x) / period % 2 == 0 ? 0 : 255;
    return {image, label(index)};
  }

 private:
  int64_t count_;
};

}  // namespace vitrail

int main() {
  using namespace vitrail;
  const auto stripes = std::make_shared<Stripes>(64);
  int64_t upright = 0;
  for (int64_t i = 0; i < stripes->size(); ++i) upright += stripes->sample(i).image.shape() == Shape{1, 16, 16} ? stripes->label(i) : 0;
  const auto [train, validation] = stratified_split(stripes, 0.25, /*seed=*/1);
  std::printf("%lld pictures, %lld upright; %lld to train, %lld to validate\n", static_cast<long long>(stripes->size()),
              static_cast<long long>(upright), static_cast<long long>(train->size()), static_cast<long long>(validation->size()));
  return upright == 32 && train->size() == 48 && validation->size() == 16 ? 0 : 1;
}
