#include "data/picture_warnings.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/text.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

struct Brightness {
  int largest = 0;
  bool one_colour = true;
  double mean = 0;  // in [0, 1]
};

Brightness look_at(const Tensor& image) {
  const Tensor planes = contiguous(image);
  const int64_t plane = image.size(1) * image.size(2);
  Brightness b;
  int64_t sum = 0;
  for (int64_t c = 0; c < image.size(0); ++c) {
    const uint8_t *first = planes.data<uint8_t>() + c * plane, *last = first + plane;
    for (const uint8_t* p = first; p < last; ++p) sum += *p;
    const auto [low, high] = std::minmax_element(first, last);
    b.largest = std::max<int>(b.largest, *high);
    b.one_colour = b.one_colour && *low == *high;
  }
  b.mean = static_cast<double>(sum) / (255.0 * static_cast<double>(image.numel()));
  return b;
}

// Of the pixels that the model was trained on, in [0, 1].
double training_mean(const Preprocessing& p) {
  double sum = 0;
  for (const double m : p.mean) sum += m / (255 * p.rescale);
  return sum / static_cast<double>(p.mean.size());
}

std::string two_digits(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", x);
  return text;
}

void add_brightness(const Tensor& image, const Preprocessing& p, std::vector<std::string>& warnings) {
  constexpr int kNearlyBlack = 16;
  constexpr double kFar = 0.4, kNear = 0.15;
  const Brightness b = look_at(convert_channels(image, p.channels));
  const double t = training_mean(p);
  if (b.one_colour) {
    warnings.emplace_back("the whole picture is one colour: there is nothing to see");
  } else if (b.largest < kNearlyBlack) {
    warnings.push_back(cat("it is nearly black: no sample is above ", b.largest, " of 255"));
  } else if (std::abs(b.mean - t) > kFar && std::abs(1 - b.mean - t) < kNear) {
    warnings.push_back(cat("it may be inverted: its mean brightness is ", two_digits(b.mean),
                           ", that of the training pictures ", two_digits(t), ". Hint: exchange black and white."));
  }
}

void add_size(const Tensor& image, const Preprocessing& p, std::vector<std::string>& warnings) {
  constexpr double kEnlarged = 4, kShrunk = 24, kProportions = 2.5, kSeen = 1.0 / 3;
  const int64_t h = image.size(1), w = image.size(2);
  const PictureGeometry g = picture_geometry(p, h, w);
  const double down = static_cast<double>(g.height) / static_cast<double>(h),
               across = static_cast<double>(g.width) / static_cast<double>(w);
  const auto part = [](int64_t crop, int64_t size) {
    return std::min(1.0, static_cast<double>(crop) / static_cast<double>(size));
  };
  const std::string sizes = cat("it has ", w, " x ", h, " pixels, the model takes ", p.width, " x ", p.height, ": ");
  if (std::max(down, across) > kEnlarged) {
    warnings.push_back(cat(sizes, "enlarged ", two_digits(std::max(down, across)), " times, it is blurred"));
  } else if (std::min(down, across) < 1 / kShrunk) {
    warnings.push_back(cat(sizes, "shrunk ", two_digits(1 / std::min(down, across)),
                           " times, small things are lost. Hint: cut out what matters."));
  }
  if (std::max(down / across, across / down) > kProportions) {
    warnings.push_back(cat(sizes, "squashed into other proportions. Hint: cut out what matters."));
  } else if (part(p.height, g.height) * part(p.width, g.width) < kSeen) {
    warnings.push_back(cat(sizes, "most of it lies outside the crop in the middle. Hint: cut out what matters."));
  }
}

}  // namespace

std::vector<std::string> picture_warnings(const Tensor& image, const Preprocessing& p, const std::string& note) {
  std::vector<std::string> warnings;
  if (note.empty()) {
    add_brightness(image, p, warnings);
  } else {
    warnings.push_back(note);
  }
  add_size(image, p, warnings);
  return warnings;
}

}  // namespace vitrail
