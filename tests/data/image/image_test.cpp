#include "data/image/image.h"

#include "tensor/view.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

Bytes text_bytes(const std::string& text) { return {text.begin(), text.end()}; }
Tensor decode(const std::string& text) { return decode_image(text_bytes(text), "some/file"); }

std::string image_refusal(const Bytes& bytes, const ImageLimits& limits = {}) {
  return refusal(ErrorKind::kData, [&] { decode_image(bytes, "some/file", {.limits = limits}); });
}

Tensor noise_image(int64_t channels, int64_t height, int64_t width) {
  return to(rand_int({channels, height, width}, 0, 256, Rng(4)), Dtype::u8);
}

}  // namespace

TEST_CASE("a picture comes back from PNG as it was") {
  for (const int64_t channels : {1, 3}) {
    for (const auto& [height, width] : {std::pair{1, 1}, std::pair{7, 13}, std::pair{40, 3}}) {
      const Tensor image = noise_image(channels, height, width);
      CHECK(bit_equal(decode_image(encode_png(image), "x"), image));
    }
  }
}

TEST_CASE("a written PNG is read again, whatever its name") {
  const Folder folder;
  const Tensor image = noise_image(3, 5, 6);
  write_png(folder.file("picture.jpg"), image);
  CHECK(bit_equal(read_image(folder.file("picture.jpg")), image));
  CHECK_SAYS(refusal(ErrorKind::kIo, [&] { read_image(folder.file("none.png")); }), "none.png");
  CHECK_SAYS(refusal(ErrorKind::kIo, [&] { write_png(folder.file("no/folder.png"), image); }), "folder.png");
}

TEST_CASE("only grey and colour bytes can be a PNG") {
  CHECK_SAYS(refusal(ErrorKind::kShape, [] { encode_png(zeros({2, 3, 3}, Dtype::u8)); }), "image is [2, 3, 3]");
  CHECK_SAYS(refusal(ErrorKind::kShape, [] { encode_png(zeros({1, 0, 3}, Dtype::u8)); }), "image is [1, 0, 3]");
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { encode_png(zeros({3, 3, 3})); }), "needs a u8 image");
}

TEST_CASE("a PNG cut off at any byte is refused") {
  const Bytes whole = encode_png(noise_image(3, 9, 9));
  for (size_t n = 0; n < whole.size(); ++n) CHECK_SAYS(image_refusal(Bytes(whole.begin(), whole.begin() + n)), "some/file");
  CHECK_SAYS(image_refusal(Bytes(whole.begin(), whole.end() - 20)), "the file ends early");
}

TEST_CASE("a PNG that promises more than limits or its own bytes allow is refused by its numbers") {
  Bytes png = encode_png(noise_image(1, 4, 4));
  CHECK_SAYS(image_refusal(png, {.max_side = 3}), "too large: it is 4 x 4, the limit is 3 a side");
  CHECK_SAYS(image_refusal(png, {.max_pixels = 15}), "too many pixels: it is 4 x 4, the limit is 15");
  png[16] = 0x7f;
  CHECK_SAYS(image_refusal(png), "too large: it is 2130706436 x 4");
}

TEST_CASE("the four Netpbm formats give the same picture") {
  CHECK(to_vector<uint8_t>(decode("P2\n# a comment\n3 2\n255\n0 1 2\n253 254 255\n")) == Bytes{0, 1, 2, 253, 254, 255});
  CHECK(to_vector<uint8_t>(decode("P5 3 2 255\nabcdef")) == Bytes{'a', 'b', 'c', 'd', 'e', 'f'});
  const Tensor colour = decode("P3 2 1 255 1 2 3 4 5 6");
  CHECK(colour.shape() == Shape{3, 1, 2});
  CHECK(to_vector<uint8_t>(colour) == Bytes{1, 4, 2, 5, 3, 6});
  CHECK(to_vector<uint8_t>(decode("P6 2 1 255\nabcdef")) == Bytes{'a', 'd', 'b', 'e', 'c', 'f'});
}

TEST_CASE("Netpbm samples are rescaled from their maxval with rounding") {
  CHECK(to_vector<uint8_t>(decode("P2 4 1 3 0 1 2 3")) == Bytes{0, 85, 170, 255});
  CHECK(to_vector<uint8_t>(decode(std::string("P5 2 1 65535\n\x80\x00\xff\xff", 17))) == Bytes{128, 255});
}

TEST_CASE("a Netpbm file that is wrong says where") {
  CHECK_SAYS(image_refusal(text_bytes("P5 3 2 255\nabcde")), "cut off: 3 x 2 pixels need 6 bytes, there are 5");
  CHECK_SAYS(image_refusal(text_bytes("P2 2 1 7\n1 8")), "sample 1 is 8, above maxval 7");
  CHECK_SAYS(image_refusal(text_bytes("P2 2 1 0\n1 8")), "maxval must be in [1, 65535]: it is 0");
  CHECK_SAYS(image_refusal(text_bytes("P2 2 1 70000\n1 8")), "maxval must be in [1, 65535]: it is 70000");
  CHECK_SAYS(image_refusal(text_bytes("P5 x")), "a number is expected for the width at byte 3");
  CHECK_SAYS(image_refusal(text_bytes("P5 3")), "ends before the height");
  CHECK_SAYS(image_refusal(text_bytes("P5 0 3 255 ")), "an image needs pixels: it is 0 x 3");
  CHECK_SAYS(image_refusal(text_bytes("P6 16384 16384 255\n")), "too many pixels");
  CHECK_SAYS(image_refusal(text_bytes("P2 3 1 9\n1 2 ")), "cut off");
  CHECK_SAYS(image_refusal(text_bytes("P2 3 1 9\n1 2      ")), "ends before all samples");
}

TEST_CASE("formats that are not decoded are called by their name") {
  CHECK_SAYS(image_refusal(text_bytes("GIF89a")), "this is a GIF file");
  CHECK_SAYS(image_refusal(text_bytes("II*\n")), "this is a TIFF file");
  CHECK_SAYS(image_refusal(text_bytes("....ftypheic")),
             "this is a HEIC file, which is not supported. Hint: convert it to JPEG or PNG.");
  CHECK_SAYS(image_refusal(text_bytes("....ftypavif")), "this is a AVIF file");
  CHECK_SAYS(image_refusal(text_bytes("hello\n")),
             "not a picture of a known format (PNG, JPEG, WebP, BMP, PGM, PPM): it begins with 'hello");
  CHECK_SAYS(image_refusal({}), "the file is empty");
}

TEST_CASE("a Netpbm header with line ends CR LF costs no byte of the picture") {
  CHECK(to_vector<uint8_t>(decode("P5\r\n3 2\r\n255\r\nabcdef")) == Bytes{'a', 'b', 'c', 'd', 'e', 'f'});
  CHECK(to_vector<uint8_t>(decode("P6\r\n1 2\r\n255\r\nabcdef")) == Bytes{'a', 'd', 'b', 'e', 'c', 'f'});
  // A carriage return alone is the one white space; the line feed after it is a sample.
  CHECK(to_vector<uint8_t>(decode("P5 3 2 255\r\nbcdef")) == Bytes{'\n', 'b', 'c', 'd', 'e', 'f'});
  CHECK(to_vector<uint8_t>(decode("P5 3 1 255\r\nabcP5 1 1 255 x")) == Bytes{'a', 'b', 'c'});
}

TEST_CASE("bytes behind a picture are refused, unless the format puts another image there") {
  CHECK_SAYS(image_refusal(text_bytes("P5 3 2 255\nabcdefg")), "1 bytes follow the end of the picture");
  CHECK_SAYS(image_refusal(text_bytes("P6 1 1 255\r\n\nabcd")), "bytes follow the end of the picture");
  CHECK(decode("P5 3 2 255\nabcdefP5 1 1 255 x").shape() == Shape{1, 2, 3});
  CHECK_SAYS(image_refusal(text_bytes("P2 2 1 9 1 2 3")), "1 bytes follow the end of the picture");
  CHECK(decode("P2 2 1 9 1 2\n# the end\n").shape() == Shape{1, 1, 2});
  Bytes png = encode_png(noise_image(1, 4, 4));
  png.push_back(0);
  CHECK_SAYS(image_refusal(png), "1 bytes follow the end of the picture");
}

TEST_CASE("grey becomes colour by repetition, colour becomes grey by luma") {
  const Tensor colour = from_vector(Bytes{255, 0, 0, 10, 0, 255, 0, 20, 0, 0, 255, 30}, {3, 2, 2});
  CHECK(to_vector<uint8_t>(convert_channels(colour, 1)) == Bytes{76, 150, 29, 18});
  const Tensor grey = noise_image(1, 2, 3);
  CHECK(bit_equal(convert_channels(convert_channels(grey, 3), 1), grey));
  CHECK_SAYS(refusal(ErrorKind::kShape, [&] { convert_channels(grey, 2); }), "only between 1 and 3 channels");
}

TEST_CASE("a contact sheet puts each picture in its place") {
  const Tensor images = noise_image(5, 3, 4);
  const Tensor sheet = contact_sheet(reshape(images, {5, 1, 3, 4}), 2, 1);
  CHECK(sheet.shape() == Shape{1, 11, 9});
  CHECK(sheet.at({0, 0, 4}) == 128);
  CHECK(sheet.at({0, 8 + 2, 3}) == images.at({4, 2, 3}));
  CHECK(sheet.at({0, 4 + 1, 5 + 2}) == images.at({3, 1, 2}));
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { contact_sheet(reshape(images, {5, 1, 3, 4}), 0); }), "columns must be positive");
}

TEST_CASE("changed bytes of a picture never do worse than an Error") {
  const auto run = [](const Bytes& original, int count) {
    return refused_mutants(original, count, [](const Bytes& b) { decode_image(b, "x"); });
  };
  CHECK(run(encode_png(noise_image(3, 8, 9)), 2000) > 1500);  // checksums find nearly all
  CHECK(run(encode_png(noise_image(1, 8, 9)), 1000) > 700);
  CHECK(run(text_bytes("P3 2 2 255 1 2 3 4 5 6 7 8 9 10 11 12"), 1000) > 100);
  CHECK(run(text_bytes("P6 2 2 255 abcdefghijkl"), 1000) > 100);
}
