// glyphs: an endless set of drawn characters, 28 x 28 grey, that needs no files.
//
// Every class is a stroke template (straight pieces, arcs and Bezier curves). A sample bends the template by a smooth
// random field, turns, shears, scales and shifts it, draws it with a pen of random width, adds clutter strokes of other
// characters' kind, blur, a background gradient and noise. Sample i is a pure function of (seed, split, i).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace vitrail {

constexpr int64_t kGlyphSize = 28;

// The twenty classes: the digits 0 to 9 and the letters A C E F H K R T X Y.
const std::vector<std::string>& glyph_names();

// Which of the classes a set has; its name is "glyphs", "drawn-digits" or "drawn-letters".
enum class GlyphPart { kAll, kDigits, kLetters };

class GlyphDataset : public Dataset {
 public:
  // The first `size` samples of the stream (seed, train or test): the two streams have nothing in common. Labels come in
  // shuffled blocks, one of each class, so that any prefix is balanced. size >= 1, else Error(kValue).
  GlyphDataset(uint64_t seed, bool train, int64_t size, GlyphPart part = GlyphPart::kAll);

  int64_t size() const override { return size_; }
  Sample sample(int64_t index) const override;
  int64_t label(int64_t index) const override;

 private:
  uint64_t seed_;
  bool train_;
  int64_t size_, first_;  // glyph_names()[first_] is class 0
};

// Draws class `label` with the randomness of `rng` into `pixels` (kGlyphSize * kGlyphSize, row-major).
void draw_glyph(int64_t label, const class Rng& rng, std::span<uint8_t> pixels);

}  // namespace vitrail
