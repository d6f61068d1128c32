#include "data/check/survey.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/json.h"
#include "data/sets/registry.h"
#include "tensor/machine/parallel.h"
#include "tests/support/picture_folder.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

// Train and val of two classes with everything in it that a survey looks for.
void put_troubled_set(const PictureFolder& root) {
  root.put_class("train/cat", 12, 0);
  root.put_class("train/<b>dog", 4, 100);
  root.put_class("val/cat", 3, 200);
  root.put_class("val/<b>dog", 3, 300);
  root.put("val/cat/leak.png", noise_picture(5));                         // train/cat/5.png
  root.put("train/<b>dog/twin.png", noise_picture(6));                    // train/cat/6.png with another label
  root.put("train/cat/flat.png", full({3, 8, 8}, 77, Dtype::u8));
  root.put("train/cat/grey.png", noise_picture(400, 1, 20, 10));
  root.put_text("train/cat/broken.png", "no picture");
  root.put_text("train/cat/.hidden", "x");
}

Survey survey_of(const std::string& path) { return survey(open_source(path, {.collect_problems = true})); }

bool finds(const Survey& s, const std::string& part, bool error = false) {
  const std::vector<Finding> findings = findings_of(s);
  return std::any_of(findings.begin(), findings.end(),
                     [&](const Finding& f) { return f.error == error && f.text.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("a survey counts classes, sizes, channels and orientations of what can be read") {
  PictureFolder root;
  put_troubled_set(root);
  const Survey s = survey_of(root.path());
  CHECK(s.class_names == std::vector<std::string>{"<b>dog", "cat"});
  REQUIRE(s.parts == std::vector<Split>{Split::kTrain, Split::kValidation});
  CHECK(s.counts[0] == std::vector<int64_t>{5, 14});
  CHECK(s.counts[1] == std::vector<int64_t>{3, 4});
  CHECK(s.imbalance() == doctest::Approx(14.0 / 5));
  CHECK(s.sizes.at({8, 8}) == 25);
  CHECK(s.sizes.at({10, 20}) == 1);
  CHECK(s.portrait == 1);
  CHECK(s.square == 25);
  CHECK(s.grey == 1);
  CHECK(s.grey_in_colour == 1);  // the flat one
  CHECK(s.colour == 24);
  CHECK(s.statistics.mean.size() == 3);
  CHECK(s.readable() == 26);
}

TEST_CASE("a survey finds bad files, leaks between parts, double labels and pictures of one colour") {
  PictureFolder root;
  put_troubled_set(root);
  const Survey s = survey_of(root.path());
  REQUIRE(s.bad.size() == 1);
  CHECK(s.pictures[static_cast<size_t>(s.bad[0])].name == root.file("train/cat/broken.png"));
  CHECK(s.has_errors());
  REQUIRE(s.equal.size() == 2);
  CHECK(std::count_if(s.equal.begin(), s.equal.end(), [](const DuplicateGroup& g) { return g.across_parts && !g.across_labels; }) == 1);
  CHECK(std::count_if(s.equal.begin(), s.equal.end(), [](const DuplicateGroup& g) { return !g.across_parts && g.across_labels; }) == 1);
  REQUIRE(s.one_colour.size() == 1);
  CHECK(finds(s, "1 picture cannot be read: ", true));
  CHECK(finds(s, "1 group of equal pictures are in more than one part: the test will be too good"));
  CHECK(finds(s, "have different labels, first "));
  CHECK(finds(s, "1 picture is of one colour: "));
  CHECK(finds(s, "skipped 1 hidden entry"));
}

TEST_CASE("a resized copy in the other part is found by its look") {
  PictureFolder root;
  for (const char* part : {"train", "val"})
    for (const char* name : {"a", "b"}) root.put_class(std::string(part) + "/" + name, 3, 1000 * part[0] + 50 * name[0]);
  Tensor large = empty({3, 64, 48}, Dtype::u8, "test"), small = empty({3, 32, 24}, Dtype::u8, "test");
  const auto shade = [](int64_t c, double y, double x) {
    return static_cast<uint8_t>(120 + 60 * std::sin(7 * x + 3 * y) + 50 * std::sin(5 * y - 4 * x + static_cast<double>(c)));
  };
  for (Tensor* image : {&large, &small}) {
    const int64_t height = image->size(1), width = image->size(2);
    uint8_t* pixel = image->mutable_data<uint8_t>();
    for (int64_t i = 0; i < image->numel(); ++i) {
      const int64_t y = i / width % height, x = i % width;
      pixel[i] = shade(i / (width * height), (static_cast<double>(y) + 0.5) / static_cast<double>(height),
                       (static_cast<double>(x) + 0.5) / static_cast<double>(width));
    }
  }
  root.put("train/a/large.png", large);
  root.put("val/a/small.png", small);
  const Survey s = survey_of(root.path());
  CHECK(s.equal.empty());
  REQUIRE(s.alike.size() == 1);
  CHECK(s.alike[0].across_parts);
  CHECK(finds(s, "of pictures that look the same are in more than one part"));
}

TEST_CASE("empty classes and parts that differ are reported together instead of one at a time") {
  PictureFolder root;
  put_troubled_set(root);
  fs::create_directories(root.file("train/empty"));
  root.put_class("val/bird", 1, 900);
  const Survey s = survey_of(root.path());
  CHECK(s.problems.size() == 2);
  CHECK(finds(s, "train/empty has no picture", true));
  CHECK(finds(s, "has not: bird", true));
}

TEST_CASE("classes without a picture in a part, one label alone, and uneven classes are worth a word") {
  PictureFolder one, uneven;
  one.put_class("only", 5, 1);
  CHECK(finds(survey_of(one.path()), "all pictures of train have one label: there is nothing to tell apart"));
  uneven.put_class("many", 40, 1);
  uneven.put_class("few", 3, 100);
  CHECK(finds(survey_of(uneven.path()), "times as many pictures as the smallest"));
}

TEST_CASE("a survey is the same for any number of threads") {
  PictureFolder root;
  put_troubled_set(root);
  const int before = num_threads();
  set_num_threads(1);
  const std::string one = survey_json(survey_of(root.path()));
  set_num_threads(4);
  const std::string four = survey_json(survey_of(root.path()));
  set_num_threads(before);
  CHECK(one == four);
}

TEST_CASE("sets that are no files are surveyed too") {
  const Survey s = survey(open_source("glyphs", {.train_size = 60, .test_size = 20}));
  CHECK(s.pictures.size() == 80);
  CHECK(s.pictures[3].name == "glyphs 3");
  CHECK(s.parts == std::vector<Split>{Split::kTrain, Split::kTest});
  CHECK_FALSE(s.has_errors());
  CHECK(s.grey == 80);
}

TEST_CASE("the table names every bad file, the JSON can be read back, the page escapes every name and asks nobody") {
  PictureFolder root;
  put_troubled_set(root);
  const DatasetSource source = open_source(root.path(), {.collect_problems = true});
  const Survey s = survey(source);
  const std::string text = survey_text(s);
  CHECK_SAYS(text, "bad: [image] " + root.file("train/cat/broken.png"));
  CHECK_SAYS(text, "largest class / smallest   2.80");
  CHECK_SAYS(text, "24 colour, 1 grey, 1 grey stored in colour");
  CHECK_SAYS(text, "error: 1 picture cannot be read");
  const JsonDocument document(survey_json(s), "survey");
  JsonObject object(document.root(), "survey");
  CHECK(object.integer("pictures", 0, 1000) == 27);
  CHECK(object.texts_or("classes", {}) == s.class_names);
  const std::string page = survey_page(s, source);
  CHECK_SAYS(page, "&lt;b&gt;dog");
  CHECK(page.find("<b>dog") == std::string::npos);
  CHECK_SAYS(page, "data:image/png;base64,");
  CHECK_SAYS(page, "in more than one part");
  CHECK(page.find("http://") == std::string::npos);
  CHECK(page.find("https://") == std::string::npos);
}
