// Pictures with transparency become pictures without.
#include <algorithm>

#include "data/image/image_formats.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

constexpr int kLight = 192;

// What is visible of a picture u8 [H, W, C] whose last channel is alpha.
struct Visible {
  bool any = false, all_opaque = true, all_light = true, one_colour = true;
};

Visible look_at(const uint8_t* pixel, int64_t pixels, int64_t channels) {
  Visible v;
  const uint8_t* first = nullptr;
  for (int64_t i = 0; i < pixels; ++i, pixel += channels) {
    const uint8_t* alpha = pixel + channels - 1;
    v.all_opaque = v.all_opaque && *alpha == 255;
    if (*alpha == 0) continue;
    v.any = true;
    if (!first) first = pixel;
    v.all_light = v.all_light && std::all_of(pixel, alpha, [](uint8_t c) { return c >= kLight; });
    v.one_colour = v.one_colour && std::equal(pixel, alpha, first);
  }
  return v;
}

}  // namespace

Tensor flattened(const Tensor& interleaved, AlphaRule rule, std::string* note) {
  const int64_t height = interleaved.size(0), width = interleaved.size(1), channels = interleaved.size(2);
  const bool has_alpha = channels == 2 || channels == 4;
  if (!has_alpha) return contiguous(permute(interleaved, {2, 0, 1}));
  const int64_t colours = channels - 1, pixels = height * width;
  const uint8_t* in = interleaved.data<uint8_t>();
  const Visible v = look_at(in, pixels, channels);
  const int ground = rule == AlphaRule::kCanvas && v.any && v.all_light ? 0 : 255;
  if (!v.any) *note = "every pixel is transparent: there is nothing to see";
  if (rule == AlphaRule::kPremultiplied && !v.all_opaque) return contiguous(permute(interleaved, {2, 0, 1}));
  if (rule == AlphaRule::kDrop || rule == AlphaRule::kPremultiplied)
    return contiguous(permute(slice(interleaved, 2, 0, colours), {2, 0, 1}));
  if (v.any && !v.all_opaque && v.one_colour) {
    *note = std::string("one colour on a transparent ground: laid on ") + (ground == 0 ? "black" : "white") +
            ". Hint: a model that was trained on the opposite needs it inverted.";
  }
  Tensor result = empty({colours, height, width}, Dtype::u8, "image");
  uint8_t* out = result.mutable_data<uint8_t>();
  for (int64_t i = 0; i < pixels; ++i) {
    const int alpha = in[i * channels + colours];
    for (int64_t c = 0; c < colours; ++c)
      out[c * pixels + i] = static_cast<uint8_t>((in[i * channels + c] * alpha + ground * (255 - alpha) + 127) / 255);
  }
  return result;
}

Tensor premultiplied(const Tensor& image) {
  const Tensor in = contiguous(image);
  const int64_t colours = in.size(0) - 1, pixels = in.size(1) * in.size(2);
  Tensor result = clone(in);
  const uint8_t *from = in.data<uint8_t>(), *alpha = from + colours * pixels;
  uint8_t* to = result.mutable_data<uint8_t>();
  for (int64_t i = 0; i < colours * pixels; ++i) {
    const int product = from[i] * alpha[i % pixels] + 128;
    to[i] = static_cast<uint8_t>(((product >> 8) + product) >> 8);  // product / 255
  }
  return result;
}

Tensor without_alpha(const Tensor& image) {
  const Tensor in = contiguous(image);
  const int64_t colours = in.size(0) - 1, pixels = in.size(1) * in.size(2);
  Tensor result = empty({colours, in.size(1), in.size(2)}, Dtype::u8, "image");
  const uint8_t *from = in.data<uint8_t>(), *alpha = from + colours * pixels;
  uint8_t* to = result.mutable_data<uint8_t>();
  for (int64_t i = 0; i < colours * pixels; ++i) {
    const int a = alpha[i % pixels];
    to[i] = a == 0 || a == 255 ? from[i] : static_cast<uint8_t>(std::min(255, 255 * from[i] / a));
  }
  return result;
}

}  // namespace vitrail
