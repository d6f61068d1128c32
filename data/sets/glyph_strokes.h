// The stroke templates of the glyphs.
#pragma once

#include <string>
#include <vector>

namespace vitrail {

struct GlyphPoint {
  float x = 0, y = 0;
};
// A polyline; consecutive points are at most kGlyphStep apart, so that straight strokes can be bent too.
using GlyphStroke = std::vector<GlyphPoint>;
// One way to write a character, in a box from (0, 0), top left, to (1, 1).
using GlyphTemplate = std::vector<GlyphStroke>;

constexpr float kGlyphStep = 0.13f;

// A path as text: "M x y" starts a stroke, "L x y" goes straight, "C x1 y1 x2 y2 x y" follows a cubic Bezier curve,
// "E cx cy rx ry from to" is an elliptic arc of its own (degrees, clockwise from the right). Error(kValue) otherwise.
GlyphTemplate parse_glyph(const std::string& path);

// The ways to write each class of glyph_names(), in its order.
const std::vector<std::vector<GlyphTemplate>>& glyph_templates();

}  // namespace vitrail
