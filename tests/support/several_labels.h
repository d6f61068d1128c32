// A data set with any number of labels per picture that a small model learns in seconds.
#pragma once

#include "data/dataset.h"
#include "tensor/rng.h"

namespace vitrail::testing {

// Grey pictures 28 x 28: class a is bright rows, b bright columns, c bright diagonals, d a lighter ground. Each of them is on a
// picture with probability 0.4; the last one, "never", is on none.
class Bands : public Dataset {
 public:
  explicit Bands(int64_t size, uint64_t seed = 0, Split part = Split::kTrain)
      : Dataset(description(part)), size_(size), seed_(seed) {}
  int64_t size() const override { return size_; }
  int64_t label(int64_t) const override { return -1; }
  std::vector<int64_t> labels(int64_t index) const override {
    check_index(index);
    std::vector<int64_t> result;
    for (int64_t c = 0; c < 4; ++c)
      if (rng(index).uniform(static_cast<uint64_t>(c)) < 0.4) result.push_back(c);
    return result;
  }
  Sample sample(int64_t index) const override {
    Sample sample{zeros({1, 28, 28}, Dtype::u8), several(labels(index), num_classes())};
    uint8_t* pixels = sample.image.mutable_data<uint8_t>();
    const auto on = [&](int64_t c) { return sample.target.classes.at({c}) > 0; };
    for (int64_t i = 0; i < 784; ++i) {
      const int64_t row = i / 28, column = i % 28;
      const bool bright = (on(0) && row % 4 == 0) || (on(1) && column % 4 == 0) || (on(2) && (row + column) % 4 == 2);
      pixels[i] = static_cast<uint8_t>((bright ? 200 : on(3) ? 90 : 20) + rng(index).below(static_cast<uint64_t>(100 + i), 40));
    }
    return sample;
  }

 private:
  static DatasetInfo description(Split part) {
    DatasetInfo info{
        .name = "bands", .height = 28, .width = 28, .class_names = {"a", "b", "c", "d", "never"}, .mean = {0.4}, .std = {0.3}};
    info.multi_label = true, info.part = part;
    return info;
  }
  Rng rng(int64_t index) const { return Rng(seed_, 31).at(static_cast<uint64_t>(index)); }
  int64_t size_;
  uint64_t seed_;
};

}  // namespace vitrail::testing
