// The JPEG files of the conformance archive ($VITRAIL_IMAGES, $VITRAIL_DATA/image-conformance.tar), where it is at hand.
#include <cmath>

#include "data/image/image.h"
#include "data/transforms.h"
#include "tests/support/archive.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

Files suite(const std::string& folder) { return testing::suite(folder, ".jpg"); }

struct Difference {
  int64_t largest = 0;
  double mean = 0;
};

// Of two u8 tensors of the same shape.
Difference difference(const Tensor& a, const Tensor& b) {
  Difference d;
  for (int64_t i = 0; i < a.numel(); ++i) {
    const int64_t gap = std::abs(a.data<uint8_t>()[i] - b.data<uint8_t>()[i]);
    d.largest = std::max(d.largest, gap);
    d.mean += static_cast<double>(gap) / static_cast<double>(a.numel());
  }
  return d;
}

}  // namespace

TEST_CASE("every JPEG of the references gives its pixels within two levels") {
  int compared = 0;
  const Files references = testing::suite("jpeg-reference", ".png");
  for (const auto& file : suite("jpeg-reference")) {
    const auto reference = references.find(file.first.substr(0, file.first.size() - 4) + ".png");
    // A stream with bytes between its intervals, and a cut one: libjpeg warns, whatever others make of them.
    if (file.first == "mjpeg.jpg" || file.first == "partial_progressive.jpg") {
      CHECK_SAYS(refusal(ErrorKind::kData, [&] { decode_image(file.second, file.first); }),
                 file.first + ": damaged JPEG: Corrupt JPEG data");
      continue;
    }
    const Tensor image = decode_image(file.second, file.first);
    if (reference == references.end()) continue;
    const Tensor expected = convert_channels(decode_image(reference->second, reference->first), 3);
    REQUIRE_MESSAGE(image.shape()[1] == expected.shape()[1], file.first);
    REQUIRE_MESSAGE(image.shape()[2] == expected.shape()[2], file.first);
    const Difference d = difference(convert_channels(image, 3), expected);
    CHECK_MESSAGE(d.largest <= 2, file.first, ": ", d.largest, " levels");
    ++compared;
  }
  CHECK((conformance().empty() || compared == 8));
}

TEST_CASE("photographs of all eight orientations stand upright alike") {
  const Files files = suite("exif");
  if (files.empty()) return;
  for (const char* kind : {"Landscape", "Portrait"}) {
    const Tensor expected = decode_image(files.at(cat(kind, "_1.jpg")), "1");
    for (int i = 0; i <= 8; ++i) {
      const std::string name = cat(kind, "_", i, ".jpg");
      const Tensor image = decode_image(files.at(name), name);
      REQUIRE_MESSAGE(image.shape() == expected.shape(), name);
      CHECK_MESSAGE(difference(image, expected).mean < 5, name);  // each was compressed anew
      CHECK_MESSAGE(difference(mirror(image), expected).mean > 15, name);
      const Tensor stored = decode_image(files.at(name), name, {.apply_orientation = false});
      CHECK_MESSAGE((stored.size(1) != image.size(1)) == (i >= 5), name);
      CHECK_MESSAGE(bit_equal(stored, image) == (i <= 1), name);
    }
  }
}

TEST_CASE("JPEG files that once crashed decoders are read or refused by their name") {
  int refused = 0;
  for (const auto& file : suite("broken")) {
    try {
      const Tensor image = decode_image(file.second, file.first);
      CHECK(image.numel() > 0);
    } catch (const Error& error) {
      CHECK_MESSAGE(error.kind() == ErrorKind::kData, error.what());
      CHECK_SAYS(std::string(error.what()), file.first);
      ++refused;
    }
  }
  CHECK((conformance().empty() || refused > 20));
}
