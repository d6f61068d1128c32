// Pictures with transparency, and what is said of pictures that are probably not what a model expects.
#include "data/image/image_formats.h"
#include "tensor/view.h"
#include "tests/support/cases.h"
#include "tests/support/data_test.h"
#include "tests/support/png_file.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

struct Flat {
  Bytes pixels;
  std::string note;
};

// One row of pixels of `channels` samples each.
Flat flat(const Bytes& samples, int64_t channels, AlphaRule rule = AlphaRule::kCanvas) {
  Flat result;
  const auto width = static_cast<int64_t>(samples.size()) / channels;
  result.pixels = to_vector<uint8_t>(flattened(from_vector(samples, {1, width, channels}), rule, &result.note));
  return result;
}

// A grey PNG of one row of 16-bit samples.
Bytes png_16(const std::vector<uint16_t>& samples) {
  Bytes row{0};
  for (const uint16_t sample : samples)
    row.insert(row.end(), {static_cast<uint8_t>(sample >> 8), static_cast<uint8_t>(sample)});
  return PngFile(samples.size(), 1, 16, 0).rows(row).end();
}

}  // namespace

TEST_CASE("a picture without transparency keeps its pixels") {
  CHECK(flat({1, 2, 3, 4, 5, 6}, 3).pixels == Bytes{1, 4, 2, 5, 3, 6});
  CHECK(flat({7, 255, 9, 255}, 2).pixels == Bytes{7, 9});
  CHECK(flat({1, 2, 3, 255, 1, 2, 3, 255}, 4).note.empty());
}

TEST_CASE("transparency is laid on white, light drawings on black") {
  CHECK(flat({0, 0, 0, 128, 0, 255, 100, 51}, 2).pixels == Bytes{255, 127, 0, 224});
  CHECK(flat({255, 0, 255, 128, 255, 255, 200, 51}, 2).pixels == Bytes{0, 128, 255, 40});
  // A dark pixel among the light ones: on white it is seen.
  CHECK(flat({255, 0, 255, 255, 10, 255}, 2).pixels == Bytes{255, 255, 10});
  CHECK(flat({255, 0, 0, 255, 9, 9, 9, 0}, 4).pixels == Bytes{255, 255, 0, 255, 0, 255});
}

TEST_CASE("transparency is laid on white always, or dropped, where the model was trained so") {
  CHECK(flat({255, 0, 255, 128}, 2, AlphaRule::kWhite).pixels == Bytes{255, 255});
  CHECK(flat({9, 0, 0, 128, 7, 255, 100, 51}, 2, AlphaRule::kWhite).pixels == Bytes{255, 127, 7, 224});
  CHECK(flat({9, 0, 0, 128, 7, 255, 100, 51}, 2, AlphaRule::kDrop).pixels == Bytes{9, 0, 7, 100});
  CHECK(flat({1, 2, 3, 0, 4, 5, 6, 255}, 4, AlphaRule::kDrop).pixels == Bytes{1, 4, 2, 5, 3, 6});
  CHECK_SAYS(flat({1, 2, 3, 0}, 4, AlphaRule::kDrop).note, "nothing to see");
}

TEST_CASE("a drawing in one colour, and one without a visible pixel, come with a note") {
  CHECK_SAYS(flat({0, 0, 0, 255, 0, 9}, 2).note, "one colour on a transparent ground: laid on white");
  CHECK_SAYS(flat({255, 0, 255, 255}, 2).note, "laid on black");
  CHECK_SAYS(flat({1, 2, 3, 0, 4, 5, 6, 0}, 4).note, "nothing to see");
  CHECK(flat({0, 0, 0, 255, 1, 255}, 2).note.empty());
}

TEST_CASE("a 16-bit picture that is nearly black comes with a note") {
  std::string note;
  CHECK(to_vector<uint8_t>(decode_image(png_16({0, 0x03e8, 0x0fff}), "x", {}, &note)) == Bytes{0, 3, 15});
  CHECK_SAYS(note, "a 16-bit picture that keeps to the darkest sixteenth");
  CHECK(to_vector<uint8_t>(decode_image(png_16({0, 0x03e8, 0x1000}), "x", {}, &note)) == Bytes{0, 3, 16});
  CHECK(note.empty());
}

TEST_CASE("cases: a drawing on a transparent canvas keeps its strokes") {
  for (const char* name : {"canvas_la", "canvas_one", "canvas_pal", "canvas_seven"}) {
    const auto path = case_path(cat("public/canvas/", name, ".png"));
    if (path.empty()) return;
    std::string note;
    const Bytes pixels = to_vector<uint8_t>(read_image(path.string(), {}, &note));
    CAPTURE(name);
    CHECK(std::count(pixels.begin(), pixels.end(), 255) > 600);  // the canvas
    CHECK(std::count(pixels.begin(), pixels.end(), 0) >= 84);    // the strokes
    CHECK_SAYS(note, "one colour on a transparent ground: laid on white");
  }
}

TEST_CASE("cases: line ends CR LF and Apple's PNG") {
  const auto crlf = case_path("public/images/p6_crlf.ppm"), apple = case_path("public/images/cgbi.png");
  if (crlf.empty() || apple.empty()) return;
  CHECK(to_vector<uint8_t>(read_image(crlf.string())) == Bytes{1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12});
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { read_image(apple.string()); }), "this is a CgBI file");
}
