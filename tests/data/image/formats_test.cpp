// JPEG, WebP and BMP: the small files of tests/fuzz/corpus against what Pillow makes of them (tests/data/image/pillow/decoded),
// refusals, and EXIF orientation.
#include <cstdlib>

#include "data/image/image.h"
#include "data/image/image_formats.h"
#include "data/transforms.h"
#include "tensor/ops/reduce.h"
#include "tensor/view.h"
#include "tests/support/data_test.h"
#include "tests/support/png_file.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

Bytes corpus(const std::string& name) { return read_file("tests/fuzz/corpus/" + name); }

std::string image_refusal(const Bytes& bytes, const DecodeOptions& options = {}) {
  return refusal(ErrorKind::kData, [&] { decode_image(bytes, "some/file", options); });
}

int64_t largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  int64_t largest = 0;
  for (int64_t i = 0; i < a.numel(); ++i)
    largest = std::max<int64_t>(largest, std::abs(a.data<uint8_t>()[i] - b.data<uint8_t>()[i]));
  return largest;
}

// A TIFF directory of one entry.
Bytes tiff(bool big_endian, int tag, int type, int value) {
  const auto two = [&](int v) { return big_endian ? Bytes{uint8_t(v >> 8), uint8_t(v)} : Bytes{uint8_t(v), uint8_t(v >> 8)}; };
  Bytes bytes = big_endian ? Bytes{'M', 'M', 0, 42, 0, 0, 0, 8} : Bytes{'I', 'I', 42, 0, 8, 0, 0, 0};
  for (const Bytes& part :
       {two(1), two(tag), two(type), two(big_endian ? 0 : 1), two(big_endian ? 1 : 0), two(value), two(0), two(0), two(0)})
    bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}

}  // namespace

TEST_CASE("JPEG, WebP and BMP files give the pixels that Pillow gives") {
  int compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/data/image/pillow/decoded")) {
    const std::string name = entry.path().stem().string();  // "jpeg_444"
    const Tensor expected = read_image(entry.path().string());
    const size_t bar = name.find('_');
    const std::string format = name.substr(0, bar);
    const Tensor image = decode_image(corpus(format + "/" + name.substr(bar + 1)), name, {.alpha = AlphaRule::kWhite});
    CHECK_MESSAGE(largest_difference(convert_channels(image, expected.size(0)), expected) <= (format == "bmp" ? 0 : 2), name);
    ++compared;
  }
  CHECK(compared == 21);
}

TEST_CASE("a JPEG, WebP or BMP cut off at any byte is refused") {
  for (const std::string name :
       {"jpeg/exif_420", "jpeg/progressive", "jpeg/grey", "webp/lossy", "webp/lossless", "webp/alpha", "bmp/rgb", "bmp/rle8"}) {
    const Bytes whole = corpus(name);
    for (size_t n = 0; n < whole.size(); ++n) {
      CAPTURE(cat(name, " ", n));
      CHECK_SAYS(image_refusal(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n))), "some/file");
    }
  }
}

TEST_CASE("pictures over the limits are refused by their numbers, before memory is taken") {
  CHECK_SAYS(image_refusal(corpus("jpeg/huge"), {.limits = {.max_pixels = int64_t{1} << 28}}),
             "bytes cannot hold 16383 x 16383 pixels");
  for (const std::string name : {"jpeg/444", "webp/lossy", "bmp/rgb"}) {
    CHECK_SAYS(image_refusal(corpus(name), {.limits = {.max_side = 4}}), "the limit is 4 a side");
    CHECK_SAYS(image_refusal(corpus(name), {.limits = {.max_pixels = 20}}), "the limit is 20");
  }
  Bytes lossless = corpus("webp/lossless");
  REQUIRE(lossless.at(20) == 0x2f);  // the sign of a lossless stream; 14 bits of width - 1 and of height - 1 follow
  lossless[21] = 0xff, lossless[22] = 0x9f, lossless[23] = 0xff, lossless[24] = static_cast<uint8_t>(lossless[24] | 0x03);
  CHECK_SAYS(image_refusal(lossless), "bytes of memory for 8192 x");
  Bytes progressive = corpus("jpeg/progressive");
  const Bytes mark{0xff, 0xc2};
  const auto at = std::search(progressive.begin(), progressive.end(), mark.begin(), mark.end());
  REQUIRE(at != progressive.end());
  const Bytes size{0x1f, 0xff, 0x1f, 0xff};
  std::copy(size.begin(), size.end(), at + 5);
  CHECK_SAYS(image_refusal(progressive), "bytes of memory for 8191 x 8191 pixels in several scans");
}

TEST_CASE("a JPEG whose bits were changed is refused, and no pixel of it is seen") {
  // Deep in the data most changed bits give another valid stream: what libjpeg notices must not pass.
  const Bytes whole = corpus("jpeg/restarts");
  int refused = 0;
  for (size_t at = whole.size() / 2; at < whole.size() / 2 + 200; ++at) {
    Bytes bytes = whole;
    bytes[at] = 0xff;
    try {
      decode_image(bytes, "x");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kData);
      ++refused;
    }
  }
  CHECK(refused > 190);
}

TEST_CASE("more than 100 scans are refused") {
  // The last scan of a progressive file again and again: each is legal.
  const Bytes whole = corpus("jpeg/progressive");
  size_t last = 0;
  for (size_t i = 0; i + 1 < whole.size(); ++i)
    if (whole[i] == 0xff && whole[i + 1] == 0xda) last = i;
  const auto end = whole.end() - 2;
  Bytes bytes(whole.begin(), end);
  for (int i = 0; i < 120; ++i) bytes.insert(bytes.end(), whole.begin() + static_cast<std::ptrdiff_t>(last), end);
  bytes.insert(bytes.end(), {0xff, 0xd9});
  CHECK_SAYS(image_refusal(bytes), "damaged JPEG:");
}

TEST_CASE("what is not supported is called by its name") {
  CHECK_SAYS(image_refusal(corpus("webp/animated")), "an animated WebP, which is not supported");
  Bytes bmp = corpus("bmp/rgb");
  bmp[28] = 13;
  CHECK_SAYS(image_refusal(bmp), "a BMP of 13 bits a pixel with compression 0, which is not supported");
  bmp = corpus("bmp/palette");
  bmp[46] = 1;  // one colour
  CHECK_SAYS(image_refusal(bmp), "of a palette of 1");
  CHECK_SAYS(image_refusal({'R', 'I', 'F', 'F', 4, 0, 0, 0, 'W', 'E', 'B', 'P'}), "damaged WebP");
}

TEST_CASE("bytes behind the end of a JPEG are ignored: telephones keep more data there") {
  Bytes bytes = corpus("jpeg/444");
  const Tensor image = decode_image(bytes, "x");
  bytes.insert(bytes.end(), 1000, 0x5a);
  CHECK(bit_equal(decode_image(bytes, "x"), image));
}

TEST_CASE("the orientation of an EXIF block is read in both byte orders, and 1 if it is broken") {
  for (const bool big_endian : {false, true}) {
    for (int i = 1; i <= 8; ++i) CHECK(exif_orientation(tiff(big_endian, 0x112, 3, i)) == i);
    CHECK(exif_orientation(tiff(big_endian, 0x112, 3, 9)) == 1);
    CHECK(exif_orientation(tiff(big_endian, 0x112, 3, 0)) == 1);
    CHECK(exif_orientation(tiff(big_endian, 0x112, 4, 6)) == 1);
    CHECK(exif_orientation(tiff(big_endian, 0x113, 3, 6)) == 1);
    const Bytes whole = tiff(big_endian, 0x112, 3, 6);
    for (size_t n = 0; n < 22; ++n) CHECK(exif_orientation(std::span<const uint8_t>(whole.data(), n)) == 1);
  }
  CHECK(exif_orientation(Bytes{'I', 'I', 42, 0, 0xff, 0xff, 0xff, 0xff}) == 1);
  CHECK(exif_orientation(Bytes{'I', 'M', 42, 0, 8, 0, 0, 0}) == 1);
}

TEST_CASE("the eight orientations turn and mirror as EXIF says") {
  // 1 2 3
  // 4 5 6
  const Tensor image = from_vector(Bytes{1, 2, 3, 4, 5, 6}, {1, 2, 3});
  const Bytes expected[] = {{1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1}, {4, 5, 6, 1, 2, 3},
                            {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3}, {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4}};
  for (int i = 1; i <= 8; ++i) {
    const Tensor y = upright(image, i);
    CHECK(to_vector<uint8_t>(y) == expected[i - 1]);
    CHECK(y.shape() == (i <= 4 ? Shape{1, 2, 3} : Shape{1, 3, 2}));
  }
}

TEST_CASE("PNG files carry an orientation too, before or behind their pixels, which can be switched off") {
  const Bytes exif = tiff(true, 0x112, 3, 6), rows{0, 1, 2, 3, 0, 4, 5, 6};
  const Bytes before = PngFile(3, 2, 8, 0).chunk("eXIf", exif).rows(rows).end();
  const Bytes behind = PngFile(3, 2, 8, 0).rows(rows).chunk("eXIf", exif).end();
  for (const Bytes& png : {before, behind}) {
    CHECK(to_vector<uint8_t>(decode_image(png, "x")) == Bytes{4, 1, 5, 2, 6, 3});
    CHECK(decode_image(png, "x", {.apply_orientation = false}).shape() == Shape{1, 2, 3});
  }
  const Tensor stored = decode_image(corpus("webp/lossy"), "x", {.apply_orientation = false});
  CHECK(bit_equal(upright(stored, 6), decode_image(corpus("webp/lossy"), "x")));
}

TEST_CASE("a JPEG is decoded at the smallest fraction whose short side is long enough") {
  const Bytes bytes = corpus("jpeg/restarts");  // 40 x 32
  const std::pair<int64_t, Shape> sizes[] = {{0, {3, 32, 40}}, {32, {3, 32, 40}}, {17, {3, 32, 40}}, {16, {3, 16, 20}},
                                             {8, {3, 8, 10}},  {4, {3, 4, 5}},    {1, {3, 4, 5}}};
  for (const auto& entry : sizes) CHECK(decode_image(bytes, "x", {.min_side = entry.first}).shape() == entry.second);
  // The mean is kept; a block of pixels is close to its average.
  const Tensor whole = decode_image(bytes, "x"), half = decode_image(bytes, "x", {.min_side = 16});
  CHECK(mean(to(half, Dtype::f64)).item() == doctest::Approx(mean(to(whole, Dtype::f64)).item()).epsilon(0.02));
}

TEST_CASE("changed bytes of JPEG, WebP and BMP files never do worse than an Error") {
  for (const std::string format : {"jpeg", "webp", "bmp"}) {
    int refused = 0;
    for (const auto& entry : std::filesystem::directory_iterator("tests/fuzz/corpus/" + format))
      refused += refused_mutants(read_file(entry.path().string()), 300, [](const Bytes& b) { decode_image(b, "x"); });
    CHECK(refused > 300);
  }
}
