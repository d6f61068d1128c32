// The PNG files of the conformance archive ($VITRAIL_IMAGES, $VITRAIL_DATA/image-conformance.tar), where it is at hand.
#include "data/image/image.h"
#include "tests/support/archive.h"
#include "tests/support/png_file.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

Files suite(const std::string& folder) { return testing::suite(folder, ".png"); }

}  // namespace

TEST_CASE("every kind of PNG gives the pixels of its reference") {
  const Files checks = suite("png-suite/primary_check");
  int compared = 0;
  for (const auto& file : suite("png-suite/primary")) {
    const auto& name = file.first;
    const auto& bytes = file.second;
    const Tensor expected = convert_channels(decode_image(checks.at(name), name), 3);
    CHECK_MESSAGE(bit_equal(convert_channels(decode_image(bytes, name), 3), expected), name);
    ++compared;
  }
  CHECK((conformance().empty() || compared == 77));
}

TEST_CASE("interlaced PNG files hold the same pixels as plain ones") {
  for (const char* folder : {"png-suite/primary", "png-suite/16bit"}) {
    const Files files = suite(folder);
    for (const auto& file : files) {
      const auto& name = file.first;
      const auto& bytes = file.second;
      if (name.find("basi") != 0) continue;
      const std::string plain = "basn" + name.substr(4);
      CHECK_MESSAGE(bit_equal(decode_image(bytes, name), decode_image(files.at(plain), plain)), name);
    }
  }
}

TEST_CASE("16-bit PNG files and those with unusual chunks are read") {
  for (const char* folder : {"png-suite/16bit", "png-suite/unused"}) {
    for (const auto& file : suite(folder)) {
      const auto& name = file.first;
      const auto& bytes = file.second;
      const Tensor image = decode_image(bytes, name);
      const bool colour = (bytes.at(25) & 2) != 0;  // the colour type of the header
      CHECK_MESSAGE(image.size(0) == (colour ? 3 : 1), name);
    }
  }
}

TEST_CASE("damaged and foreign PNG files are refused") {
  for (const char* folder : {"png-suite/corrupt", "png-suite/iphone"}) {
    for (const auto& file : suite(folder)) {
      const auto& name = file.first;
      const auto& bytes = file.second;
      CHECK_SAYS(refusal(ErrorKind::kData, [&] { decode_image(bytes, name); }), name);
    }
  }
}

TEST_CASE("files that once crashed decoders are read or refused") {
  for (const auto& file : suite("broken")) {
    const auto& name = file.first;
    const auto& bytes = file.second;
    try {
      const Tensor image = decode_image(bytes, name);
      CHECK(image.numel() > 0);
      CHECK(name != "badadler.png");  // its checksum says that the pixels are not what they were
    } catch (const Error& error) {
      CHECK_MESSAGE(error.kind() == ErrorKind::kData, error.what());
      CHECK_SAYS(std::string(error.what()), name);
    }
  }
}

TEST_CASE("a PNG chunk that claims a gigabyte is refused before memory is taken") {
  for (const char* type : {"iTXt", "sPLT"}) {
    Bytes png = PngFile(1, 1, 8, 0).chunk(type, {'a', 0, 1, 2, 3, 4}).rows({0, 7}).end();
    png.at(33) = 0x3f;  // the first byte of the chunk's length
    CHECK_SAYS(refusal(ErrorKind::kData, [&] { decode_image(png, "some/file"); }), cat("chunk ", type, " of 1056964614 bytes is too large"));
  }
}

TEST_CASE("changed bytes of every kind of PNG never do worse than an Error") {
  for (const auto& file : suite("png-suite/primary")) {
    refused_mutants(file.second, 40, [](const Bytes& mutant) { decode_image(mutant, "x"); });
  }
}
