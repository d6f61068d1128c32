#include "data/sets/glyphs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "data/sets/drawing.h"
#include "data/sets/glyph_strokes.h"

namespace vitrail {
namespace {

constexpr int kSide = static_cast<int>(kGlyphSize);
constexpr int kPixels = kSide * kSide;
using Plane = std::array<float, kPixels>;

// ---- how hard the set is: a linear model must stay behind, a person must still read every picture ----
constexpr double kTurn = 0.24;                   // radians, either way
constexpr double kShear = 0.25;                  // x per y, either way
constexpr double kShift = 2.5;                   // pixels, either way
constexpr double kBend = 0.055;                  // amplitude of each wave of the bending field, of the box
constexpr double kPenLow = 0.7, kPenHigh = 1.7;  // half width of the pen in pixels
constexpr double kNoiseHigh = 0.08;              // standard deviation of the noise, of full white

// From the template's box to pixels: bend by a field of slow waves, then turn, shear, scale and shift.
struct Warp {
  float xx, xy, yx, yy, x0, y0;                   // the affine part, about the middle of the box
  std::array<float, 4> amplitude, phase, fx, fy;  // waves 0, 1 move x; 2, 3 move y

  explicit Warp(Dice& dice) {
    for (int k = 0; k < 4; ++k) {
      amplitude[k] = static_cast<float>(dice.real(-kBend, kBend));
      phase[k] = static_cast<float>(dice.real(0, 2 * std::numbers::pi));
      fx[k] = static_cast<float>(dice.real(-5, 5));
      fy[k] = static_cast<float>(dice.real(-5, 5));
    }
    const double width = dice.real(10, 17), height = dice.real(15, 21.5), shear = dice.real(-kShear, kShear);
    const double turn = dice.real(-kTurn, kTurn), c = std::cos(turn), s = std::sin(turn);
    // rotation * shear * scale
    xx = static_cast<float>(c * width), xy = static_cast<float>((c * shear - s) * height);
    yx = static_cast<float>(s * width), yy = static_cast<float>((s * shear + c) * height);
    x0 = static_cast<float>(kSide / 2.0 + dice.real(-kShift, kShift));
    y0 = static_cast<float>(kSide / 2.0 + dice.real(-kShift, kShift));
  }

  GlyphPoint operator()(GlyphPoint p) const {
    std::array<float, 4> wave;
    for (int k = 0; k < 4; ++k) wave[k] = amplitude[k] * std::sin(fx[k] * p.x + fy[k] * p.y + phase[k]);
    const float x = p.x - 0.5f + wave[0] + wave[1], y = p.y - 0.5f + wave[2] + wave[3];
    return {x0 + xx * x + xy * y, y0 + yx * x + yy * y};
  }
};

// squared[i] = min(squared[i], squared distance from the centre of pixel i to the segment a b), within `reach` of it.
void stroke_segment(Plane& squared, GlyphPoint a, GlyphPoint b, float reach) {
  const auto clip = [](float v) { return std::clamp(static_cast<int>(v), 0, kSide); };
  const int left = clip(std::min(a.x, b.x) - reach), right = clip(std::max(a.x, b.x) + reach + 1);
  const int top = clip(std::min(a.y, b.y) - reach), bottom = clip(std::max(a.y, b.y) + reach + 1);
  const float dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
  const float inverse = length2 > 0 ? 1 / length2 : 0;
  for (int y = top; y < bottom; ++y) {
    const float py = static_cast<float>(y) + 0.5f - a.y;
    float* row = squared.data() + y * kSide;
    for (int x = left; x < right; ++x) {
      const float px = static_cast<float>(x) + 0.5f - a.x;
      const float t = std::min(std::max((px * dx + py * dy) * inverse, 0.0f), 1.0f);
      const float ex = px - t * dx, ey = py - t * dy;
      row[x] = std::min(row[x], ex * ex + ey * ey);
    }
  }
}

// ink = max(ink, strength * coverage by a round pen of half width `pen`).
void apply_pen(Plane& ink, const Plane& squared, float pen, float strength) {
  for (int i = 0; i < kPixels; ++i) {
    const float coverage = std::min(std::max(pen + 0.5f - std::sqrt(squared[i]), 0.0f), 1.0f);
    ink[i] = std::max(ink[i], strength * coverage);
  }
}

void draw_character(Plane& ink, int64_t label, Dice& dice) {
  const auto& ways = glyph_templates()[label];
  const GlyphTemplate& strokes = ways[dice.below(static_cast<int64_t>(ways.size()))];
  const Warp warp(dice);
  const auto pen = static_cast<float>(dice.real(kPenLow, kPenHigh));
  Plane squared;
  squared.fill(1e6f);
  for (const GlyphStroke& stroke : strokes) {
    GlyphPoint last = warp(stroke.front());
    for (size_t i = 1; i < stroke.size(); ++i) {
      const GlyphPoint next = warp(stroke[i]);
      stroke_segment(squared, last, next, pen + 1);
      last = next;
    }
  }
  apply_pen(ink, squared, pen, 1);
}

// Up to three thin, short, fainter strokes anywhere.
void draw_clutter(Plane& ink, Dice& dice) {
  const int64_t count = dice.below(4);
  for (int64_t k = 0; k < count; ++k) {
    const double x = dice.real(1, kSide - 1), y = dice.real(1, kSide - 1), angle = dice.real(0, 2 * std::numbers::pi);
    const double length = dice.real(2, 6);
    const GlyphPoint a{static_cast<float>(x), static_cast<float>(y)};
    const GlyphPoint b{static_cast<float>(x + length * std::cos(angle)), static_cast<float>(y + length * std::sin(angle))};
    const auto pen = static_cast<float>(dice.real(0.3, 0.8)), strength = static_cast<float>(dice.real(0.3, 0.8));
    Plane squared;
    squared.fill(1e6f);
    stroke_segment(squared, a, b, pen + 1);
    apply_pen(ink, squared, pen, strength);
  }
}

// A binomial-like blur [w, 1 - 2w, w] along both axes; the border repeats.
void blur(Plane& ink, float w) {
  Plane rows;
  for (int y = 0; y < kSide; ++y) {
    const float* in = ink.data() + y * kSide;
    float* out = rows.data() + y * kSide;
    out[0] = (1 - w) * in[0] + w * in[1];
    out[kSide - 1] = (1 - w) * in[kSide - 1] + w * in[kSide - 2];
    for (int x = 1; x < kSide - 1; ++x) out[x] = (1 - 2 * w) * in[x] + w * (in[x - 1] + in[x + 1]);
  }
  for (int y = 0; y < kSide; ++y) {
    const float* mid = rows.data() + y * kSide;
    const float* up = rows.data() + std::max(y - 1, 0) * kSide;
    const float* down = rows.data() + std::min(y + 1, kSide - 1) * kSide;
    float* out = ink.data() + y * kSide;
    for (int x = 0; x < kSide; ++x) out[x] = (1 - 2 * w) * mid[x] + w * (up[x] + down[x]);
  }
}

// Ink on a background with a slope, plus noise, as bytes. The noise of a pixel is the sum of the four bytes of one random
// word: bell-shaped, and four pixels for one Philox block.
void develop(const Plane& ink, const Rng& noise, Dice& dice, std::span<uint8_t> pixels) {
  const auto ground = static_cast<float>(dice.real(0, 45)), white = static_cast<float>(dice.real(165, 255));
  const auto slope_x = static_cast<float>(dice.real(-1, 1)), slope_y = static_cast<float>(dice.real(-1, 1));
  // Four bytes: mean 510, standard deviation 2 * 73.9.
  const auto gain = static_cast<float>(dice.real(0.01, kNoiseHigh) * 255 / 147.8);
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; x += 4) {
      const auto words = noise.block(static_cast<uint64_t>(y * kSide + x) / 4);
      for (int k = 0; k < 4; ++k) {
        const uint32_t w = words[k];
        const auto bytes = static_cast<float>((w & 255) + (w >> 8 & 255) + (w >> 16 & 255) + (w >> 24));
        const float back =
            ground + slope_x * static_cast<float>(x + k - kSide / 2) + slope_y * static_cast<float>(y - kSide / 2);
        const float value = back + (white - back) * ink[y * kSide + x + k] + gain * (bytes - 510);
        pixels[y * kSide + x + k] = static_cast<uint8_t>(std::clamp(value, 0.0f, 255.0f) + 0.5f);
      }
    }
  }
}

constexpr int64_t kDigits = 10;  // of glyph_names(), in front

// Mean and deviation are those of all twenty classes.
DatasetInfo glyph_info(GlyphPart part) {
  const std::vector<std::string>& all = glyph_names();
  const bool digits = part != GlyphPart::kLetters, letters = part != GlyphPart::kDigits;
  return {.name = digits && letters ? "glyphs"
                  : digits          ? "drawn-digits"
                                    : "drawn-letters",
          .channels = 1,
          .height = kGlyphSize,
          .width = kGlyphSize,
          .class_names = {all.begin() + (digits ? 0 : kDigits), letters ? all.end() : all.begin() + kDigits},
          .mean = {0.194},
          .std = {0.224},
          .mirror_keeps_class = false};
}

}  // namespace

void draw_glyph(int64_t label, const Rng& rng, std::span<uint8_t> pixels) {
  check(label >= 0 && label < static_cast<int64_t>(glyph_names().size()), ErrorKind::kValue, "glyphs", "there is no class ",
        label, ": there are ", glyph_names().size());
  check(pixels.size() == kPixels, ErrorKind::kShape, "glyphs", "a glyph has ", kPixels, " pixels: there is room for ",
        pixels.size());
  Dice dice(rng.at(1));
  Plane ink{};
  draw_character(ink, label, dice);
  draw_clutter(ink, dice);
  blur(ink, static_cast<float>(dice.real(0, 0.22)));
  develop(ink, rng.at(2), dice, pixels);
}

GlyphDataset::GlyphDataset(uint64_t seed, bool train, int64_t size, GlyphPart part)
    : Dataset(glyph_info(part)), seed_(seed), train_(train), size_(size), first_(part == GlyphPart::kLetters ? kDigits : 0) {
  check(size >= 1, ErrorKind::kValue, "glyphs", "size must be at least 1: it is ", size);
}

int64_t GlyphDataset::label(int64_t index) const {
  check_index(index);
  return balanced_label(drawn_rng(seed_, train_), index, num_classes());
}

Sample GlyphDataset::sample(int64_t index) const {
  Sample result{empty({1, kGlyphSize, kGlyphSize}, Dtype::u8, "glyphs"), label(index)};
  draw_glyph(first_ + result.target.label, drawn_rng(seed_, train_).at(static_cast<uint64_t>(index)),
             {result.image.mutable_data<uint8_t>(), kPixels});
  return result;
}

}  // namespace vitrail
