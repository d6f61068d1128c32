#include "data/sets/glyph_strokes.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/text.h"
#include "data/sets/glyphs.h"

namespace vitrail {
namespace {

struct GlyphClass {
  const char* name;
  std::vector<const char*> paths;
};

const std::vector<GlyphClass>& alphabet() {
  static const std::vector<GlyphClass> classes = {
      {"0", {"E .5 .5 .42 .5 -80 290", "E .5 .5 .5 .5 0 360"}},
      {"1", {"M .5 0 L .5 1", "M .22 .24 L .56 0 L .56 1", "M .22 .24 L .54 0 L .54 1 M .2 1 L .88 1"}},
      {"2",
       {"M .08 .28 C .08 -.1 .92 -.1 .92 .28 C .92 .55 .3 .7 .05 1 L .95 1",
        "M .08 .22 C .3 -.1 .95 -.06 .88 .32 C .8 .62 .5 .9 .2 .96 C -.02 1 .06 .74 .28 .82 C .5 .9 .7 1.05 .98 .92"}},
      {"3",
       {"M .1 .12 C .3 -.06 .88 -.06 .86 .25 C .84 .46 .6 .48 .42 .48 C .65 .48 .95 .52 .95 .75 C .95 1.08 .3 1.08 .05 .86",
        "M .1 0 L .88 0 L .46 .42 C .75 .4 .95 .55 .95 .73 C .95 1.06 .3 1.08 .05 .86"}},
      {"4", {"M .72 1 L .72 0 L .05 .68 L .97 .68", "M .2 0 L .08 .58 L .95 .58 M .72 .22 L .72 1"}},
      {"5",
       {"M .88 0 L .2 0 L .14 .46 C .4 .3 .95 .36 .93 .7 C .9 1.08 .3 1.08 .06 .88",
        "M .2 .02 L .16 .46 C .5 .34 .96 .42 .92 .72 C .86 1.06 .3 1.06 .06 .9 M .2 .02 L .9 .02"}},
      {"6",
       {"M .8 .03 C .36 .08 .08 .42 .08 .7 E .5 .7 .42 .3 0 360",
        "M .66 0 C .3 .2 .04 .5 .1 .78 C .2 1.1 .9 1.08 .9 .74 C .9 .44 .3 .4 .1 .74"}},
      {"7",
       {"M .05 0 L .95 0 L .38 1", "M .05 0 L .95 0 L .42 1 M .3 .5 L .85 .5", "M .08 .14 L .1 0 L .94 0 C .6 .4 .5 .7 .48 1"}},
      {"8",
       {"E .5 .25 .34 .25 0 360 E .5 .74 .44 .26 0 360",
        "M .86 .14 C .6 -.1 .06 0 .16 .28 C .26 .5 .96 .5 .92 .78 C .86 1.08 .1 1.08 .08 .78 C .06 .5 .7 .44 .86 .14"}},
      {"9", {"E .5 .29 .4 .29 0 360 M .9 .29 C .94 .7 .78 .94 .5 1", "E .48 .28 .4 .28 0 360 M .88 .24 L .82 1"}},
      {"A", {"M .02 1 L .5 0 L .98 1 M .2 .63 L .8 .63", "M .1 1 L .1 .42 C .1 -.14 .9 -.14 .9 .42 L .9 1 M .1 .6 L .9 .6"}},
      {"C", {"E .56 .5 .5 .5 46 314", "E .6 .5 .56 .5 70 290"}},
      {"E", {"M .9 0 L .12 0 L .12 1 L .9 1 M .12 .5 L .76 .5"}},
      {"F", {"M .92 0 L .14 0 L .14 1 M .14 .48 L .78 .48"}},
      {"H", {"M .1 0 L .1 1 M .9 0 L .9 1 M .1 .5 L .9 .5"}},
      {"K", {"M .12 0 L .12 1 M .88 0 L .12 .58 M .38 .4 L .92 1", "M .12 0 L .12 1 M .86 0 L .2 .5 L .92 1"}},
      {"R", {"M .12 1 L .12 0 L .5 0 C 1.04 0 1.04 .54 .5 .54 L .12 .54 M .46 .54 L .94 1"}},
      {"T", {"M .02 0 L .98 0 M .5 0 L .5 1"}},
      {"X", {"M .05 0 L .95 1 M .95 0 L .05 1"}},
      {"Y", {"M .03 0 L .5 .5 M .97 0 L .5 .5 L .5 1", "M .05 0 L .5 .54 M .95 0 L .32 1"}},
  };
  return classes;
}

// Points from `from` (not included) to 1 along a curve given as a function of t, in `pieces` equal steps of t.
template <class Curve>
void follow(GlyphStroke& stroke, int pieces, Curve&& curve) {
  for (int i = 1; i <= pieces; ++i) stroke.push_back(curve(static_cast<float>(i) / static_cast<float>(pieces)));
}

int pieces_for(float length) { return std::max(1, static_cast<int>(std::ceil(length / kGlyphStep))); }

float distance(GlyphPoint a, GlyphPoint b) { return std::hypot(b.x - a.x, b.y - a.y); }

void line_to(GlyphStroke& stroke, GlyphPoint end) {
  const GlyphPoint start = stroke.back();
  follow(stroke, pieces_for(distance(start, end)), [&](float t) {
    return GlyphPoint{start.x + t * (end.x - start.x), start.y + t * (end.y - start.y)};
  });
}

void curve_to(GlyphStroke& stroke, GlyphPoint b, GlyphPoint c, GlyphPoint d) {
  const GlyphPoint a = stroke.back();
  const float length = (distance(a, b) + distance(b, c) + distance(c, d) + distance(a, d)) / 2;
  follow(stroke, pieces_for(length), [&](float t) {
    const float s = 1 - t, wa = s * s * s, wb = 3 * s * s * t, wc = 3 * s * t * t, wd = t * t * t;
    return GlyphPoint{wa * a.x + wb * b.x + wc * c.x + wd * d.x, wa * a.y + wb * b.y + wc * c.y + wd * d.y};
  });
}

GlyphStroke arc(GlyphPoint centre, float rx, float ry, float from, float to) {
  const auto at = [&](float degrees) {
    const float a = degrees * std::numbers::pi_v<float> / 180;
    return GlyphPoint{centre.x + rx * std::cos(a), centre.y + ry * std::sin(a)};
  };
  GlyphStroke stroke{at(from)};
  const float length = std::abs(to - from) * std::numbers::pi_v<float> / 180 * std::max(rx, ry);
  follow(stroke, pieces_for(length), [&](float t) { return at(from + t * (to - from)); });
  return stroke;
}

// Commands and numbers of a path. Not a stream: a stream that finds no memory only says that it could not read, and a full
// memory would be taken for a wrong path.
class PathScanner {
 public:
  explicit PathScanner(const std::string& path) : path_(path), place_(path.data()), end_(path.data() + path.size()) {}

  // The next character that is no space; false at the end.
  bool command(char& c) {
    skip_space();
    if (place_ == end_) return false;
    c = *place_++;
    return true;
  }
  GlyphPoint point() {
    const float x = number();
    return {x, number()};
  }

 private:
  void skip_space() {
    while (place_ != end_ && (*place_ == ' ' || *place_ == '\n')) ++place_;
  }
  float number() {
    skip_space();
    float value = 0;
    const auto [stop, error] = std::from_chars(place_, end_, value);
    check(error == std::errc(), ErrorKind::kValue, "glyph", "a number is missing in the path ", quote(path_));
    place_ = stop;
    return value;
  }

  const std::string& path_;
  const char *place_, *end_;
};

}  // namespace

GlyphTemplate parse_glyph(const std::string& path) {
  GlyphTemplate strokes;
  PathScanner scan(path);
  for (char command = 0; scan.command(command);) {
    const bool goes_on = command == 'L' || command == 'C';
    check(!goes_on || !strokes.empty(), ErrorKind::kValue, "glyph", "the path ", quote(path), " must start with M or E");
    if (command == 'M') {
      strokes.push_back({scan.point()});
    } else if (command == 'L') {
      line_to(strokes.back(), scan.point());
    } else if (command == 'C') {
      const GlyphPoint b = scan.point(), c = scan.point();
      curve_to(strokes.back(), b, c, scan.point());
    } else if (command == 'E') {
      const GlyphPoint centre = scan.point(), radius = scan.point(), range = scan.point();
      strokes.push_back(arc(centre, radius.x, radius.y, range.x, range.y));
    } else {
      fail(ErrorKind::kValue, "glyph", "unknown command '", escaped(std::string(1, command)), "' in the path ", quote(path));
    }
  }
  return strokes;
}

const std::vector<std::string>& glyph_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const auto& c : alphabet()) result.emplace_back(c.name);
    return result;
  }();
  return names;
}

const std::vector<std::vector<GlyphTemplate>>& glyph_templates() {
  static const std::vector<std::vector<GlyphTemplate>> templates = [] {
    std::vector<std::vector<GlyphTemplate>> result;
    for (const auto& c : alphabet()) {
      auto& ways = result.emplace_back();
      for (const char* path : c.paths) ways.push_back(parse_glyph(path));
    }
    return result;
  }();
  return templates;
}

}  // namespace vitrail
