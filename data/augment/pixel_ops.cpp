// Compiled without fused multiply-add: cutting to a byte shows the last bit of a float.
#include "data/augment/pixel_ops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace vitrail::augment {
namespace {

using Table = std::array<uint8_t, 256>;

Tensor checked(const Tensor& image, const char* op) {
  check(image.defined() && image.dtype() == Dtype::u8 && image.dim() == 3 && (image.size(0) == 1 || image.size(0) == 3),
        ErrorKind::kShape, op, "needs a u8 image [C, H, W] with 1 or 3 channels: it is ",
        image.defined() ? name_of(image.dtype()) : "undefined", " ", image.shape());
  return contiguous(image);
}

void check_factor(double factor, const char* op) {
  check(std::isfinite(factor), ErrorKind::kValue, op, "the factor must be finite: it is ", factor);
}

// table(c) for each channel.
template <class MakeTable>
Tensor looked_up(const Tensor& x, const char* op, MakeTable&& table) {
  Tensor result = empty(x.shape(), Dtype::u8, op);
  const int64_t plane = x.size(1) * x.size(2);
  for (int64_t c = 0; c < x.size(0); ++c) {
    const uint8_t* in = x.data<uint8_t>() + c * plane;
    const Table values = table(in, plane);
    uint8_t* out = result.mutable_data<uint8_t>() + c * plane;
    for (int64_t i = 0; i < plane; ++i) out[i] = values[in[i]];
  }
  return result;
}

template <class Fn>
Table table_of(Fn&& fn) {
  Table table;
  for (int v = 0; v < 256; ++v) table[static_cast<size_t>(v)] = static_cast<uint8_t>(fn(v));
  return table;
}

uint8_t blended(uint8_t degenerate, uint8_t x, float factor) {
  const float value = static_cast<float>(degenerate) + factor * static_cast<float>(x - degenerate);
  return value <= 0 ? uint8_t{0} : value >= 255 ? uint8_t{255} : static_cast<uint8_t>(value);
}

// degenerate [C or 1, H, W].
Tensor blend(const Tensor& degenerate, const Tensor& x, double factor, const char* op) {
  check_factor(factor, op);
  Tensor result = empty(x.shape(), Dtype::u8, op);
  const int64_t plane = x.size(1) * x.size(2);
  for (int64_t c = 0; c < x.size(0); ++c) {
    const uint8_t* from = degenerate.data<uint8_t>() + (degenerate.size(0) == 1 ? 0 : c * plane);
    const uint8_t* in = x.data<uint8_t>() + c * plane;
    uint8_t* out = result.mutable_data<uint8_t>() + c * plane;
    for (int64_t i = 0; i < plane; ++i) out[i] = blended(from[i], in[i], static_cast<float>(factor));
  }
  return result;
}

Tensor blend_with_value(int value, const Tensor& x, double factor, const char* op) {
  check_factor(factor, op);
  return looked_up(x, op, [&](const uint8_t*, int64_t) {
    return table_of(
        [&](int v) { return blended(static_cast<uint8_t>(value), static_cast<uint8_t>(v), static_cast<float>(factor)); });
  });
}

std::array<int64_t, 256> histogram(const uint8_t* pixels, int64_t count) {
  std::array<int64_t, 256> bins{};
  for (int64_t i = 0; i < count; ++i) ++bins[pixels[i]];
  return bins;
}

Table autocontrast_table(const uint8_t* pixels, int64_t count) {
  const auto [low, high] = std::minmax_element(pixels, pixels + count);
  if (count == 0 || *high <= *low) return table_of([](int v) { return v; });
  const double scale = 255.0 / (*high - *low), offset = -*low * scale;
  return table_of([&](int v) { return std::clamp(static_cast<int>(v * scale + offset), 0, 255); });
}

Table equalize_table(const uint8_t* pixels, int64_t count) {
  const auto bins = histogram(pixels, count);
  const auto last = std::find_if(bins.rbegin(), bins.rend(), [](int64_t n) { return n > 0; });
  const int64_t step = last == bins.rend() ? 0 : (count - *last) / 255;
  if (step == 0) return table_of([](int v) { return v; });
  Table table;
  int64_t sum = step / 2;
  for (size_t v = 0; v < 256; sum += bins[v++]) table[v] = static_cast<uint8_t>(std::min<int64_t>(255, sum / step));
  return table;
}

// As the colour cone is in Pillow: h and s cut to bytes, then p, q, t rounded.
struct Hsv {
  uint8_t h, s, v;
};

Hsv to_hsv(uint8_t r, uint8_t g, uint8_t b) {
  const uint8_t high = std::max({r, g, b}), low = std::min({r, g, b});
  if (high == low) return {0, 0, high};
  const auto range = static_cast<float>(high - low);
  const float s = range / static_cast<float>(high);
  const float rc = static_cast<float>(high - r) / range, gc = static_cast<float>(high - g) / range,
              bc = static_cast<float>(high - b) / range;
  float h = r == high ? bc - gc : static_cast<float>(g == high ? 2.0 + rc - bc : 4.0 + gc - rc);
  h = static_cast<float>(std::fmod(h / 6.0 + 1.0, 1.0));
  return {static_cast<uint8_t>(static_cast<int>(h * 255.0)), static_cast<uint8_t>(static_cast<int>(s * 255.0)), high};
}

void to_rgb(Hsv colour, uint8_t* r, uint8_t* g, uint8_t* b) {
  const uint8_t v = colour.v;
  if (colour.s == 0) {
    *r = *g = *b = v;
    return;
  }
  const auto sector = static_cast<int>(std::floor(colour.h * 6.0 / 255.0));
  const auto f = static_cast<float>(colour.h * 6.0 / 255.0 - sector), s = static_cast<float>(colour.s / 255.0);
  const auto byte = [&](double x) { return static_cast<uint8_t>(std::clamp(std::round(v * x), 0.0, 255.0)); };
  const uint8_t p = byte(1.0 - s), q = byte(1.0 - s * f), t = byte(1.0 - s * (1.0 - f));
  const uint8_t all[6][3] = {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}};
  const uint8_t* one = all[sector % 6];
  *r = one[0], *g = one[1], *b = one[2];
}

}  // namespace

Tensor luma(const Tensor& image) {
  const Tensor x = checked(image, "luma");
  if (x.size(0) == 1) return x;
  Tensor result = empty({1, x.size(1), x.size(2)}, Dtype::u8, "luma");
  const int64_t plane = x.size(1) * x.size(2);
  const uint8_t* in = x.data<uint8_t>();
  uint8_t* out = result.mutable_data<uint8_t>();
  for (int64_t i = 0; i < plane; ++i)
    out[i] = static_cast<uint8_t>((19595 * in[i] + 38470 * in[plane + i] + 7471 * in[2 * plane + i] + 0x8000) >> 16);
  return result;
}

Tensor grayscale(const Tensor& image) {
  const Tensor grey = luma(image);
  if (image.size(0) == 1) return grey;
  Tensor result = empty(image.shape(), Dtype::u8, "grayscale");
  for (int64_t c = 0; c < 3; ++c)
    std::copy_n(grey.data<uint8_t>(), grey.numel(), result.mutable_data<uint8_t>() + c * grey.numel());
  return result;
}

Tensor adjust_brightness(const Tensor& image, double factor) {
  return blend_with_value(0, checked(image, "adjust_brightness"), factor, "adjust_brightness");
}

Tensor adjust_contrast(const Tensor& image, double factor) {
  const Tensor x = checked(image, "adjust_contrast"), grey = luma(x);
  int64_t sum = 0;
  for (int64_t i = 0; i < grey.numel(); ++i) sum += grey.data<uint8_t>()[i];
  const double mean = static_cast<double>(sum) / static_cast<double>(std::max<int64_t>(1, grey.numel()));
  return blend_with_value(static_cast<int>(mean + 0.5), x, factor, "adjust_contrast");
}

Tensor adjust_saturation(const Tensor& image, double factor) {
  const Tensor x = checked(image, "adjust_saturation");
  return x.size(0) == 1 ? x : blend(luma(x), x, factor, "adjust_saturation");
}

Tensor adjust_sharpness(const Tensor& image, double factor) {
  const Tensor x = checked(image, "adjust_sharpness");
  Tensor smooth = clone(x);
  const int64_t height = x.size(1), width = x.size(2);
  for (int64_t c = 0; c < x.size(0); ++c) {
    const uint8_t* in = x.data<uint8_t>() + c * height * width;
    uint8_t* out = smooth.mutable_data<uint8_t>() + c * height * width;
    for (int64_t y = 1; y + 1 < height; ++y) {
      for (int64_t j = 1; j + 1 < width; ++j) {
        const uint8_t* at = in + y * width + j;
        int sum = 4 * *at;
        for (const int64_t dy : {-width, int64_t{0}, width}) sum += at[dy - 1] + at[dy] + at[dy + 1];
        out[y * width + j] = static_cast<uint8_t>((2 * sum + 13) / 26);
      }
    }
  }
  return blend(smooth, x, factor, "adjust_sharpness");
}

Tensor adjust_hue(const Tensor& image, double shift) {
  const Tensor x = checked(image, "adjust_hue");
  check(shift >= -0.5 && shift <= 0.5, ErrorKind::kValue, "adjust_hue", "the shift must lie in [-0.5, 0.5]: it is ", shift);
  if (x.size(0) == 1) return x;
  Tensor result = empty(x.shape(), Dtype::u8, "adjust_hue");
  const auto turn = static_cast<uint8_t>(static_cast<int>(shift * 255) & 255);
  const int64_t plane = x.size(1) * x.size(2);
  const uint8_t* in = x.data<uint8_t>();
  uint8_t* out = result.mutable_data<uint8_t>();
  for (int64_t i = 0; i < plane; ++i) {
    Hsv colour = to_hsv(in[i], in[plane + i], in[2 * plane + i]);
    colour.h = static_cast<uint8_t>(colour.h + turn);
    to_rgb(colour, out + i, out + plane + i, out + 2 * plane + i);
  }
  return result;
}

Tensor invert(const Tensor& image) {
  return looked_up(checked(image, "invert"), "invert", [](auto...) { return table_of([](int v) { return 255 - v; }); });
}

Tensor solarize(const Tensor& image, double threshold) {
  check_factor(threshold, "solarize");
  return looked_up(checked(image, "solarize"), "solarize",
                   [&](auto...) { return table_of([&](int v) { return v < threshold ? v : 255 - v; }); });
}

Tensor solarize_add(const Tensor& image, int64_t amount) {
  check(amount >= 0 && amount <= 255, ErrorKind::kValue, "solarize_add", "the amount must lie in [0, 255]: it is ", amount);
  return looked_up(checked(image, "solarize_add"), "solarize_add", [&](auto...) {
    return table_of([&](int v) { return v < 128 ? std::min(255, v + static_cast<int>(amount)) : v; });
  });
}

Tensor posterize(const Tensor& image, int64_t bits) {
  check(bits >= 0 && bits <= 8, ErrorKind::kValue, "posterize", "the bits must lie in [0, 8]: they are ", bits);
  return looked_up(checked(image, "posterize"), "posterize",
                   [&](auto...) { return table_of([&](int v) { return v & ~((1 << (8 - bits)) - 1); }); });
}

Tensor autocontrast(const Tensor& image) {
  return looked_up(checked(image, "autocontrast"), "autocontrast", autocontrast_table);
}
Tensor equalize(const Tensor& image) { return looked_up(checked(image, "equalize"), "equalize", equalize_table); }

}  // namespace vitrail::augment
