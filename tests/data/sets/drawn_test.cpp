#include <cmath>
#include <set>

#include "data/sets/drawing.h"
#include "data/sets/glyph_strokes.h"
#include "data/sets/glyphs.h"
#include "data/sets/scene_shapes.h"
#include "data/sets/scenes.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

TEST_CASE("a glyph is a function of seed, split and index") {
  const GlyphDataset a(3, true, 100), b(3, true, 1000), other_seed(4, true, 100), test(3, false, 100);
  std::set<std::vector<uint8_t>> seen;
  for (int64_t i = 99; i >= 0; --i) {
    CHECK(bit_equal(a.sample(i).image, b.sample(i).image));
    for (const GlyphDataset* set : {&a, &other_seed, &test}) seen.insert(to_vector<uint8_t>(set->sample(i).image));
  }
  CHECK(seen.size() == 300);  // no picture of one stream is in another
}

TEST_CASE("every block of twenty glyphs, and of eight scenes, has each class once") {
  const GlyphDataset glyphs(1, true, 400);
  const SceneDataset scenes(1, false, 400);
  for (const Dataset* data : {static_cast<const Dataset*>(&glyphs), static_cast<const Dataset*>(&scenes)}) {
    std::vector<int64_t> orders;
    for (int64_t block = 0; block < 5; ++block) {
      std::set<int64_t> labels;
      for (int64_t i = 0; i < data->num_classes(); ++i) labels.insert(data->label(block * data->num_classes() + i));
      CHECK(static_cast<int64_t>(labels.size()) == data->num_classes());
      orders.push_back(data->label(block * data->num_classes()));
    }
    CHECK(std::set<int64_t>(orders.begin(), orders.end()).size() > 1);
  }
}

TEST_CASE("drawn digits and drawn letters are glyphs of their classes, ten each") {
  const GlyphDataset digits(1, true, 40, GlyphPart::kDigits), letters(1, true, 40, GlyphPart::kLetters);
  CHECK(digits.class_names() == std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
  CHECK(letters.class_names() == std::vector<std::string>{"A", "C", "E", "F", "H", "K", "R", "T", "X", "Y"});
  CHECK(digits.name() == "drawn-digits");
  std::set<int64_t> seen;
  for (int64_t i = 0; i < 10; ++i) seen.insert(letters.label(i));
  CHECK(seen.size() == 10);
  // Letter 0 is glyph 10.
  const Sample sample = letters.sample(7);
  std::vector<uint8_t> pixels(28 * 28);
  draw_glyph(10 + sample.target.label, drawn_rng(1, true).at(7), pixels);
  CHECK(to_vector<uint8_t>(sample.image) == pixels);
}

TEST_CASE("glyphs have twenty classes and the mean and deviation that are written down for them") {
  const GlyphDataset data(9, true, 1000);
  CHECK(data.num_classes() == 20);
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < data.size(); ++i) {
    for (uint8_t p : to_vector<uint8_t>(data.sample(i).image)) sum += p / 255.0, squares += p / 255.0 * p / 255.0;
  }
  const double n = 1000.0 * 784, mean = sum / n;
  CHECK(mean == doctest::Approx(data.info().mean[0]).epsilon(0.03));
  CHECK(std::sqrt(squares / n - mean * mean) == doctest::Approx(data.info().std[0]).epsilon(0.03));
}

TEST_CASE("every template stays near its box and has no long straight piece") {
  for (const auto& ways : glyph_templates()) {
    for (const auto& strokes : ways) {
      for (const auto& stroke : strokes) {
        for (size_t i = 0; i < stroke.size(); ++i) {
          CHECK((stroke[i].x > -0.1f && stroke[i].x < 1.15f && stroke[i].y > -0.1f && stroke[i].y < 1.1f));
          if (i > 0) CHECK(std::hypot(stroke[i].x - stroke[i - 1].x, stroke[i].y - stroke[i - 1].y) < 2 * kGlyphStep);
        }
      }
    }
  }
}

TEST_CASE("a glyph path that cannot be read is refused") {
  const auto message = [](const char* path) { return refusal(ErrorKind::kValue, [&] { parse_glyph(path); }); };
  CHECK_SAYS(message("M 0 0 L 1"), "a number is missing");
  CHECK_SAYS(message("L 1 1"), "must start with M or E");
  CHECK_SAYS(message("M 0 0 Z"), "unknown command 'Z'");
  uint8_t pixel = 0;
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { draw_glyph(20, Rng(1), {&pixel, 1}); }), "there is no class 20: there are 20");
  CHECK_SAYS(refusal(ErrorKind::kShape, [&] { draw_glyph(2, Rng(1), {&pixel, 1}); }), "a glyph has 784 pixels");
}

TEST_CASE("the boxes of a scene are the tightest around its masks, at any size") {
  for (const int64_t size : {32, 64, 224}) {
    const SceneDataset data(2, true, 24, size);
    for (int64_t i = 0; i < 24; ++i) {
      const SceneSample scene = data.scene(i);
      for (size_t k = 0; k < scene.objects.size(); ++k) {
        const SceneObject& o = scene.objects[k];
        int64_t x0 = size, y0 = size, x1 = 0, y1 = 0;
        const uint8_t* mask = scene.mask.data<uint8_t>();
        for (int64_t p = 0; p < size * size; ++p) {
          if (mask[p] != k + 1) continue;
          x0 = std::min(x0, p % size), x1 = std::max(x1, p % size + 1), y0 = std::min(y0, p / size),
          y1 = std::max(y1, p / size + 1);
        }
        CHECK(std::array{o.x0, o.y0, o.x1, o.y1} == std::array{x0, y0, x1, y1});
        CHECK(x1 > x0);
      }
    }
  }
}

TEST_CASE("the class of a scene is the shape of its largest object, and the caption names every object in order") {
  const SceneDataset data(2, false, 60);
  for (int64_t i = 0; i < data.size(); ++i) {
    const SceneSample scene = data.scene(i);
    CHECK(scene.label == scene.objects[0].shape);
    size_t at = 0;
    for (const SceneObject& o : scene.objects) {
      CHECK((o.x1 - o.x0) * (o.y1 - o.y0) <=
            (scene.objects[0].x1 - scene.objects[0].x0) * (scene.objects[0].y1 - scene.objects[0].y0));
      at = scene.caption.find(scene_colors()[o.color] + " " + scene_shapes()[o.shape], at);
      REQUIRE(at != std::string::npos);
    }
  }
}

TEST_CASE("a caption puts things where they are") {
  const SceneDataset data(5, true, 200);
  std::set<std::string> told;
  for (int64_t i = 0; i < data.size(); ++i) {
    const SceneSample scene = data.scene(i);
    if (scene.objects.size() != 2) continue;
    const SceneObject &a = scene.objects[0], &b = scene.objects[1];
    const int64_t right = b.x0 + b.x1 - a.x0 - a.x1, down = b.y0 + b.y1 - a.y0 - a.y1;
    for (const auto& [words, holds] :
         {std::pair{"left of", right > 0 && right > std::abs(down)}, std::pair{"right of", -right > std::abs(down)},
          std::pair{"above", down > 0 && down >= std::abs(right)}, std::pair{"below", -down >= std::abs(right)}}) {
      if (scene.caption.find(words) == std::string::npos) continue;
      CHECK_MESSAGE(holds, scene.caption);
      told.insert(words);
    }
  }
  CHECK(told.size() == 4);
}

TEST_CASE("pixels under the mask have the colour that the caption says") {
  const SceneDataset data(6, true, 80);
  for (int64_t i = 0; i < data.size(); ++i) {
    const SceneSample scene = data.scene(i);
    if (scene_colors()[scene.objects[0].color] != "red") continue;
    const uint8_t *image = scene.image.data<uint8_t>(), *mask = scene.mask.data<uint8_t>();
    double red = 0, green = 0, blue = 0;
    for (int64_t p = 0; p < 64 * 64; ++p) {
      if (mask[p] == 1) red += image[p], green += image[4096 + p], blue += image[8192 + p];
    }
    CHECK((red > 2.5 * green && red > 2.5 * blue));
  }
}

TEST_CASE("a scene is a function of seed, split and index") {
  const SceneDataset a(3, true, 100), b(3, true, 1000), test(3, false, 100);
  for (int64_t i = 0; i < 20; ++i) {
    CHECK(bit_equal(a.sample(i).image, b.sample(i).image));
    CHECK(a.scene(i).caption == b.scene(i).caption);
    CHECK_FALSE(bit_equal(a.sample(i).image, test.sample(i).image));
  }
}

TEST_CASE("every shape lies within the unit circle and around its middle half") {
  for (int64_t shape = 0; shape < static_cast<int64_t>(scene_shapes().size()); ++shape) {
    int inside = 0;
    for (double y = -1.5; y <= 1.5; y += 0.02) {
      for (double x = -1.5; x <= 1.5; x += 0.02) {
        if (!inside_shape(shape, x, y)) continue;
        ++inside;
        CHECK(x * x + y * y <= 1.02);
        CHECK(inside_shape(shape, -x, y) == true);  // all are symmetric
      }
    }
    CHECK(inside * 0.0004 > 0.8);  // an area worth seeing
  }
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { inside_shape(8, 0, 0); }), "there is no shape 8: there are 8");
}
