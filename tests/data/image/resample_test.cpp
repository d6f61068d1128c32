// Resizing of pictures against Pillow: the checksums in tests/data/image/pillow (made by make_pillow.py there), and the results
// in $VITRAIL_CHECKPOINTS/resampling where they are at hand.
#include "data/image/resample.h"

#include <cstdio>
#include <fstream>
#include <map>

#include "tensor/safetensors.h"
#include "tensor/view.h"
#include "tests/support/checkpoint_folder.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

const std::map<std::string, Resample> kFilters = {{"nearest", Resample::kNearest},   {"box", Resample::kBox},
                                                  {"bilinear", Resample::kBilinear}, {"hamming", Resample::kHamming},
                                                  {"bicubic", Resample::kBicubic},   {"lanczos", Resample::kLanczos}};

Tensor noise_image(int64_t channels, int64_t height, int64_t width) {
  return to(rand_int({channels, height, width}, 0, 256, Rng(9)), Dtype::u8);
}

// The picture of make_pillow.py.
Tensor striped_noise(int64_t h, int64_t w) {
  Tensor image = empty({1, h, w}, Dtype::u8, "test");
  uint8_t* pixels = image.mutable_data<uint8_t>();
  for (int64_t y = 0; y < h; ++y)
    for (int64_t x = 0; x < w; ++x)
      *pixels++ = static_cast<uint8_t>(y % 7 < 3 ? 255 * (x / 3 % 2) : (x * 7919 + y * 104729 + x * y * 31) / 5 % 256);
  return image;
}

std::string checksum(const Tensor& image) {
  char text[9];
  std::snprintf(text, sizeof text, "%08lx", crc32(0, image.data<uint8_t>(), static_cast<uInt>(image.numel())));
  return text;
}

// [H, W] or [H, W, C], as arrays of pictures are kept, to [C, H, W].
Tensor planes(const Tensor& picture) {
  return contiguous(picture.dim() == 2 ? unsqueeze(picture, 0) : permute(picture, {2, 0, 1}));
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts{""};
  for (const char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// Compares "out.PICTURE.MODE.WxH.FILTER", and "out13." for Pillow 13, with what resample() makes of "in.PICTURE" or
// "in.PICTURE.L".
int check_against_pillow(const std::string& path) {
  const SafetensorsFile file = load_safetensors(path);
  const std::map<std::string, Tensor> tensors(file.tensors.begin(), file.tensors.end());
  int compared = 0;
  for (const auto& entry : tensors) {
    const std::vector<std::string> name = split(entry.first, '.');
    if (name[0] == "in") continue;
    const Tensor picture = planes(tensors.at("in." + name[1] + (name[2] == "L" ? ".L" : "")));
    const Tensor expected = planes(entry.second);
    ++compared;
    if (name.size() == 4) {  // "out.PICTURE.MODE.reduce5x1": columns x rows
      REQUIRE(name[3].size() == 9);
      CHECK_MESSAGE(bit_equal(reduce(picture, name[3][8] - '0', name[3][6] - '0'), expected), entry.first);
      continue;
    }
    const PassOrder order = name[0] == "out13" ? PassOrder::kPillow13 : PassOrder::kHorizontalFirst;
    const Tensor y = resample(picture, expected.size(1), expected.size(2), kFilters.at(name[4]), order);
    CHECK_MESSAGE(bit_equal(y, expected), entry.first);
  }
  return compared;
}

}  // namespace

TEST_CASE("resizing gives the bytes of Pillow 9.4 and, in its order, of Pillow 13") {
  std::ifstream lines("tests/data/image/pillow/resize.txt");
  int64_t h = 0, w = 0, new_h = 0, new_w = 0;
  std::string filter, horizontal_first, pillow_13;
  int compared = 0, different = 0;
  while (lines >> h >> w >> new_h >> new_w >> filter >> horizontal_first >> pillow_13) {
    const Tensor picture = striped_noise(h, w);
    CAPTURE(cat(h, " x ", w, " to ", new_h, " x ", new_w, " ", filter));
    CHECK(checksum(resample(picture, new_h, new_w, kFilters.at(filter))) == horizontal_first);
    CHECK(checksum(resample(picture, new_h, new_w, kFilters.at(filter), PassOrder::kPillow13)) == pillow_13);
    ++compared;
    different += horizontal_first == pillow_13 ? 0 : 1;
  }
  CHECK(compared == 1500);
  CHECK(different > 100);  // the order shows
}

TEST_CASE("resizing gives the bytes of the shared Pillow results") {
  const std::string folder = checkpoint_folder();
  if (!folder.empty()) CHECK(check_against_pillow(folder + "/resampling/pil_resize.safetensors") == 274);
}

// torchvision resizes u8 tensors by weights of 16 bits: a rounding of its own, and transformers' default since version 5.
TEST_CASE("resizing is nowhere more than one level from torchvision's of tensors, and rarely that") {
  const std::string folder = checkpoint_folder();
  if (folder.empty()) return;
  const SafetensorsFile sources = load_safetensors(folder + "/resampling/pil_resize.safetensors");
  const std::map<std::string, Tensor> pictures(sources.tensors.begin(), sources.tensors.end());
  int64_t compared = 0, values = 0, different = 0;
  for (const auto& [name, picture] : load_safetensors(folder + "/resampling/tensor_resize.safetensors").tensors) {
    const std::vector<std::string> parts = split(name, '.');  // PICTURE.RGB.WIDTHxHEIGHT.FILTER
    const Tensor expected = planes(picture);
    const Tensor y = resample(planes(pictures.at("in." + parts[0])), expected.size(1), expected.size(2), kFilters.at(parts[3]));
    const uint8_t *a = y.data<uint8_t>(), *b = expected.data<uint8_t>();
    int largest = 0;
    for (int64_t i = 0; i < y.numel(); ++i) {
      largest = std::max(largest, std::abs(a[i] - b[i]));
      different += a[i] != b[i] ? 1 : 0;
    }
    CHECK_MESSAGE(largest <= 1, name);
    values += y.numel();
    ++compared;
  }
  CHECK(compared == 60);
  MESSAGE(different, " of ", values, " values differ");
  CHECK(different * 200 < values);
}

TEST_CASE("a region is the same part of the whole, to the bit") {
  const Tensor image = noise_image(3, 41, 57);
  for (const auto& filter : kFilters) {
    for (const PassOrder order : {PassOrder::kHorizontalFirst, PassOrder::kPillow13}) {
      for (const Shape& size : {Shape{20, 30}, Shape{41, 30}, Shape{20, 57}, Shape{90, 11}, Shape{41, 57}, Shape{9, 120}}) {
        const Tensor whole = resample(image, size[0], size[1], filter.second, order);
        const Region r{3, 2, size[0] - 5, size[1] - 4};
        const Tensor part = resample(image, size[0], size[1], filter.second, r, order);
        CAPTURE(filter.first);
        CHECK(bit_equal(part, contiguous(slice(slice(whole, 1, 3, size[0] - 2), 2, 2, size[1] - 2))));
      }
    }
  }
}

TEST_CASE("an elongated picture whose middle is wanted costs what the middle costs") {
  const Tensor line = noise_image(1, 1, 16384);
  const int64_t width = int64_t{16384} * 65536;
  CHECK(resample(line, 65536, width, Resample::kBicubic, {10, width / 2, 8, 6}).shape() == Shape{1, 8, 6});
}

TEST_CASE("blocks are averaged, those at the edges over what they have") {
  const Tensor image = from_vector(Bytes{1, 2, 7, 3, 4, 9, 100, 101, 255}, {1, 3, 3});
  CHECK(to_vector<uint8_t>(reduce(image, 2, 2)) == Bytes{3, 8, 101, 255});
  CHECK(bit_equal(reduce(image, 1, 1), image));
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { reduce(image, 0, 2); }), "1 to 4096 rows and columns: it has 0 x 2");
}

TEST_CASE("resizing refuses what it cannot do") {
  const Tensor image = noise_image(3, 4, 5);
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { resample(image, 0, 5, Resample::kBox); }), "must lie in [1, 2^31]: it is 0 x 5");
  CHECK_SAYS(refusal(ErrorKind::kValue,
                     [&] {
                       resample(image, 8, 8, Resample::kBox, {1, 0, 8, 8});
                     }),
             "the region must lie within the new size 8 x 8: it is 8 x 8 at 1, 0");
  CHECK_SAYS(refusal(ErrorKind::kShape, [&] { resample(zeros({3, 4, 5}), 2, 2, Resample::kBox); }), "it is f32 [3, 4, 5]");
  CHECK_SAYS(refusal(ErrorKind::kShape,
                     [&] {
                       resample(zeros({3, 0, 5}, Dtype::u8), 2, 2, Resample::kBox);
                     }),
             "it is u8 [3, 0, 5]");
}
