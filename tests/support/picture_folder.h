// Folders of small pictures for tests of data sets.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "data/image/image.h"
#include "tensor/rng.h"
#include "tests/support/data_test.h"

namespace vitrail::testing {

// A picture of random pixels, a different one for each number.
inline Tensor noise_picture(int64_t number, int64_t channels = 3, int64_t height = 8, int64_t width = 8) {
  Tensor image = empty({channels, height, width}, Dtype::u8, "test");
  uint8_t* pixel = image.mutable_data<uint8_t>();
  const Rng rng(static_cast<uint64_t>(number), 77);
  for (int64_t i = 0; i < image.numel(); ++i) pixel[i] = static_cast<uint8_t>(rng.below(static_cast<uint64_t>(i), 256));
  return image;
}

// A picture of one colour with a little noise: the class can be learnt from the colour.
inline Tensor coloured_picture(int64_t number, uint8_t red, uint8_t green, int64_t side = 8) {
  Tensor image = noise_picture(number, 3, side, side);
  uint8_t* pixel = image.mutable_data<uint8_t>();
  const int64_t plane = side * side;
  for (int64_t i = 0; i < 3 * plane; ++i)
    pixel[i] = static_cast<uint8_t>((i < plane ? red : i < 2 * plane ? green : 40) + pixel[i] % 16);
  return image;
}

class PictureFolder : public Folder {
 public:
  // A PNG file below the folder, whose folders are made.
  std::string put(const std::string& name, const Tensor& image) const {
    std::filesystem::create_directories(std::filesystem::path(file(name)).parent_path());
    write_png(file(name), image);
    return file(name);
  }
  void put_text(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(file(name)).parent_path());
    put_content(file(name), text);
  }
  // `count` different pictures CLASS/0.png ...
  void put_class(const std::string& name, int64_t count, int64_t first_number, int64_t channels = 3) const {
    for (int64_t i = 0; i < count; ++i) put(name + "/" + std::to_string(i) + ".png", noise_picture(first_number + i, channels));
  }
};

}  // namespace vitrail::testing
