// Against pictures that Pillow and torchvision changed (golden/pillow.py), to the byte.
#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "data/augment/geometry.h"
#include "data/augment/pixel_ops.h"
#include "tensor/safetensors.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::augment;

namespace {

using Op = std::function<Tensor(const Tensor&, double)>;

const std::map<std::string, Op>& colour_ops() {
  static const std::map<std::string, Op> ops{
      {"brightness", adjust_brightness},
      {"contrast", adjust_contrast},
      {"saturation", adjust_saturation},
      {"sharpness", adjust_sharpness},
      {"hue", adjust_hue},
      {"solarize", solarize},
      {"blur", gaussian_blur},
      {"posterize", [](const Tensor& x, double bits) { return posterize(x, static_cast<int64_t>(bits)); }},
      {"grayscale", [](const Tensor& x, double) { return grayscale(x); }},
      {"invert", [](const Tensor& x, double) { return invert(x); }},
      {"autocontrast", [](const Tensor& x, double) { return autocontrast(x); }},
      {"equalize", [](const Tensor& x, double) { return equalize(x); }},
      {"input", [](const Tensor& x, double) { return x; }}};
  return ops;
}

Geometry map_of(const std::string& op, double number, int64_t height, int64_t width) {
  if (op == "rotate") return rotation(number, height, width);
  if (op == "shear_x") return shear_x(number, height, width);
  if (op == "shear_y") return shear_y(number, height, width);
  if (op == "translate_x") return translation(number, 0, height, width);
  REQUIRE(op == "translate");
  return translation(number, -number, height, width);
}

Tensor computed(const Tensor& input, const std::string& op, std::istringstream& words) {
  double number = 0;
  const auto colour = colour_ops().find(op);
  if (colour != colour_ops().end()) {
    words >> number;
    return colour->second(input, number);
  }
  std::string filter;
  words >> filter >> number;
  const std::vector<uint8_t> fill = filter == "nearest0" ? std::vector<uint8_t>{}
                                    : input.size(0) == 3 ? std::vector<uint8_t>{10, 100, 200}
                                                         : std::vector<uint8_t>{77};
  const Filter kind = filter == "bicubic" ? Filter::kBicubic : filter == "bilinear" ? Filter::kBilinear : Filter::kNearest;
  return warp(input, map_of(op, number, input.size(1), input.size(2)), kind, fill);
}

int64_t differing(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  int64_t count = 0;
  for (int64_t i = 0; i < a.numel(); ++i) count += a.data<uint8_t>()[i] != b.data<uint8_t>()[i];
  return count;
}

}  // namespace

TEST_CASE("colours and geometry are Pillow's to the byte") {
  const SafetensorsFile file = load_safetensors("tests/data/augment/golden/pillow.safetensors");
  std::map<std::string, Tensor> pictures(file.tensors.begin(), file.tensors.end());
  CHECK(pictures.size() > 250);
  for (const auto& entry : pictures) {
    std::istringstream words(entry.first);
    std::string input, op;
    words >> input >> op;
    const Tensor result = computed(pictures.at(input + " input"), op, words);
    CHECK_MESSAGE(differing(result, entry.second) == 0, entry.first);
  }
}
