#include "data/sets/scenes.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/sets/drawing.h"
#include "data/sets/scene_shapes.h"

namespace vitrail {
namespace {

using Color = std::array<double, 3>;  // red, green, blue in [0, 255]

struct NamedColor {
  const char* name;
  Color color;
};
constexpr NamedColor kPalette[] = {{"red", {214, 40, 44}},     {"orange", {247, 137, 28}}, {"yellow", {250, 221, 60}},
                                   {"green", {46, 154, 74}},   {"blue", {38, 92, 205}},    {"purple", {128, 58, 168}},
                                   {"white", {250, 250, 250}}, {"black", {18, 18, 20}}};
constexpr int64_t kColors = std::size(kPalette);
constexpr int kSubsamples = 3;  // per axis and pixel

// An object in place: the picture is the image of the unit circle under turning, scaling and shifting.
struct Placed {
  int64_t shape, color;
  double x, y, radius, cos, sin;  // cos and sin of the turn, divided by the radius
  Color paint;
};

double distance(const Color& a, const Color& b) { return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]); }

Placed place(int64_t shape, double radius, int64_t size, Dice& dice) {
  const int64_t color = dice.below(kColors);
  const double turn = dice.real(-0.35, 0.35);
  Placed o{shape, color, 0, 0, radius, std::cos(turn) / radius, std::sin(turn) / radius, {}};
  const double margin = radius + 1, room = static_cast<double>(size) - 2 * margin;
  o.x = margin + dice.real(0, 1) * room;
  o.y = margin + dice.real(0, 1) * room;
  for (int c = 0; c < 3; ++c) o.paint[c] = std::clamp(kPalette[o.color].color[c] + dice.real(-14, 14), 0.0, 255.0);
  return o;
}

bool apart(const Placed& a, const Placed& b) { return std::hypot(a.x - b.x, a.y - b.y) > a.radius + b.radius + 1; }

// The main object, then up to two smaller ones of other shapes where there is room.
std::vector<Placed> arrange(int64_t label, int64_t size, Dice& dice) {
  const auto side = static_cast<double>(size);
  std::vector<Placed> objects{place(label, dice.real(0.20, 0.30) * side, size, dice)};
  const int64_t more = dice.below(3);
  for (int64_t k = 0; k < more; ++k) {
    for (int attempt = 0; attempt < 12; ++attempt) {
      const int64_t shapes = static_cast<int64_t>(scene_shapes().size());
      const int64_t shape = (label + 1 + dice.below(shapes - 1)) % shapes;
      const Placed o = place(shape, dice.real(0.09, 0.14) * side, size, dice);
      if (!std::all_of(objects.begin(), objects.end(), [&](const Placed& other) { return apart(o, other); })) continue;
      objects.push_back(o);
      break;
    }
  }
  return objects;
}

// A background on which every object stands out: a slope between two muted colours, with or without waves, and grain.
struct Background {
  Color from, to;
  double slope_x, slope_y, wave_x, wave_y, phase, wave, grain;

  Background(const std::vector<Placed>& objects, Dice& dice) {
    from = muted(objects, dice);
    to = muted(objects, dice);
    const double angle = dice.real(0, 2 * std::numbers::pi), frequency = dice.real(6, 30),
                 direction = dice.real(0, std::numbers::pi);
    slope_x = std::cos(angle) / 2, slope_y = std::sin(angle) / 2;
    wave_x = frequency * std::cos(direction), wave_y = frequency * std::sin(direction);
    phase = dice.real(0, 2 * std::numbers::pi);
    wave = dice.chance(0.6) ? dice.real(4, 16) : 0;
    grain = dice.real(2, 8);
  }

  // Of twelve muted colours the one farthest from the nearest object.
  static Color muted(const std::vector<Placed>& objects, Dice& dice) {
    Color best{};
    double best_distance = -1;
    for (int attempt = 0; attempt < 12; ++attempt) {
      const double grey = dice.real(40, 225);
      Color c;
      for (double& v : c) v = std::clamp(grey + dice.real(-30, 30), 0.0, 255.0);
      double nearest = 1e9;
      for (const Placed& o : objects) nearest = std::min(nearest, distance(c, o.paint));
      if (nearest > best_distance) best_distance = nearest, best = c;
    }
    return best;
  }

  // x, y in [0, 1].
  Color at(double x, double y) const {
    const double t = std::clamp(0.5 + slope_x * (x - 0.5) * 2 + slope_y * (y - 0.5) * 2, 0.0, 1.0);
    const double ripple = wave * std::sin(wave_x * x + wave_y * y + phase);
    Color c;
    for (int k = 0; k < 3; ++k) c[k] = from[k] + t * (to[k] - from[k]) + ripple;
    return c;
  }
};

// The part of pixel (x, y) that the object covers.
double coverage(const Placed& o, int64_t x, int64_t y) {
  int hits = 0;
  for (int k = 0; k < kSubsamples * kSubsamples; ++k) {
    const double dx = static_cast<double>(x) + (k % kSubsamples + 0.5) / kSubsamples - o.x;
    const double dy = static_cast<double>(y) + (k / kSubsamples + 0.5) / kSubsamples - o.y;
    hits += inside_shape(o.shape, o.cos * dx + o.sin * dy, o.cos * dy - o.sin * dx) ? 1 : 0;
  }
  return static_cast<double>(hits) / (kSubsamples * kSubsamples);
}

// Paints the object over the canvas (S * S colours), marks its pixels in the mask, and returns what the mask shows.
SceneObject paint(const Placed& o, uint8_t mark, int64_t size, std::vector<Color>& canvas, uint8_t* mask) {
  const auto clip = [&](double v) { return std::clamp<int64_t>(static_cast<int64_t>(v), 0, size); };
  SceneObject seen{.shape = o.shape, .color = o.color, .x0 = size, .y0 = size, .x1 = 0, .y1 = 0};
  for (int64_t y = clip(o.y - o.radius); y < clip(o.y + o.radius + 1); ++y) {
    for (int64_t x = clip(o.x - o.radius); x < clip(o.x + o.radius + 1); ++x) {
      const double part = coverage(o, x, y);
      Color& pixel = canvas[y * size + x];
      for (int k = 0; k < 3; ++k) pixel[k] += part * (o.paint[k] - pixel[k]);
      if (part < 0.5) continue;
      mask[y * size + x] = mark;
      seen.x0 = std::min(seen.x0, x), seen.x1 = std::max(seen.x1, x + 1);
      seen.y0 = std::min(seen.y0, y), seen.y1 = std::max(seen.y1, y + 1);
    }
  }
  return seen;
}

// "a red circle", "an orange star"
std::string phrase(const SceneObject& o) {
  const std::string color = scene_colors()[o.color];
  return cat(color == "orange" ? "an " : "a ", color, " ", scene_shapes()[o.shape]);
}

std::string relation(const SceneObject& a, const SceneObject& b) {
  const int64_t dx = (b.x0 + b.x1) - (a.x0 + a.x1), dy = (b.y0 + b.y1) - (a.y0 + a.y1);
  if (std::abs(dx) > std::abs(dy)) return dx > 0 ? "left of" : "right of";
  return dy > 0 ? "above" : "below";
}

std::string caption_of(const std::vector<SceneObject>& objects) {
  std::string text = phrase(objects[0]);
  for (size_t k = 1; k < objects.size(); ++k) {
    text += cat(k == 1 ? " " : " and ", relation(objects[0], objects[k]), " ", phrase(objects[k]));
  }
  return text;
}

// The canvas with grain, as bytes in planes.
Tensor develop(const std::vector<Color>& canvas, int64_t size, double grain, const Rng& noise) {
  Tensor image = empty({3, size, size}, Dtype::u8, "scenes");
  uint8_t* out = image.mutable_data<uint8_t>();
  const int64_t plane = size * size;
  for (int64_t i = 0; i < plane; ++i) {
    const auto words = noise.block(static_cast<uint64_t>(i));
    for (int k = 0; k < 3; ++k) {
      // Two 16-bit halves: a triangle of standard deviation 1/sqrt(6) over [-1, 1].
      const double wobble = (static_cast<double>(words[k] & 0xffff) + static_cast<double>(words[k] >> 16)) / 65535 - 1;
      out[k * plane + i] = static_cast<uint8_t>(std::clamp(canvas[i][k] + grain * 2.449 * wobble, 0.0, 255.0) + 0.5);
    }
  }
  return image;
}

void check_size(int64_t image_size) {
  check(image_size >= 32 && image_size <= 224, ErrorKind::kValue, "scenes", "image_size must be in [32, 224]: it is ",
        image_size);
}

DatasetInfo scene_info(int64_t image_size) {
  check_size(image_size);
  return {.name = "scenes",
          .channels = 3,
          .height = image_size,
          .width = image_size,
          .class_names = scene_shapes(),
          .mean = {0.62, 0.62, 0.61},
          .std = {0.29, 0.29, 0.29},
          .mirror_keeps_class = true};
}

}  // namespace

const std::vector<std::string>& scene_colors() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const auto& c : kPalette) result.emplace_back(c.name);
    return result;
  }();
  return names;
}

SceneSample draw_scene(int64_t label, int64_t image_size, const Rng& rng) {
  check_size(image_size);
  check(label >= 0 && label < static_cast<int64_t>(scene_shapes().size()), ErrorKind::kValue, "scenes", "there is no shape ",
        label, ": there are ", scene_shapes().size());
  Dice dice(rng.at(1));
  const std::vector<Placed> placed = arrange(label, image_size, dice);
  const Background background(placed, dice);
  std::vector<Color> canvas(image_size * image_size);
  for (int64_t y = 0; y < image_size; ++y) {
    for (int64_t x = 0; x < image_size; ++x) {
      const auto side = static_cast<double>(image_size);
      canvas[y * image_size + x] = background.at((static_cast<double>(x) + 0.5) / side, (static_cast<double>(y) + 0.5) / side);
    }
  }
  SceneSample scene{
      .image = {}, .label = label, .objects = {}, .mask = zeros({image_size, image_size}, Dtype::u8), .caption = {}};
  uint8_t* mask = scene.mask.mutable_data<uint8_t>();
  for (size_t k = 0; k < placed.size(); ++k) {
    scene.objects.push_back(paint(placed[k], static_cast<uint8_t>(k + 1), image_size, canvas, mask));
  }
  scene.image = develop(canvas, image_size, background.grain, rng.at(2));
  scene.caption = caption_of(scene.objects);
  return scene;
}

SceneDataset::SceneDataset(uint64_t seed, bool train, int64_t size, int64_t image_size)
    : Dataset(scene_info(image_size)), seed_(seed), train_(train), size_(size) {
  check(size >= 1, ErrorKind::kValue, "scenes", "size must be at least 1: it is ", size);
}

int64_t SceneDataset::label(int64_t index) const {
  check_index(index);
  return balanced_label(drawn_rng(seed_, train_), index, num_classes());
}

SceneSample SceneDataset::scene(int64_t index) const {
  const int64_t shape = label(index);
  return draw_scene(shape, height(), drawn_rng(seed_, train_).at(static_cast<uint64_t>(index)));
}

Sample SceneDataset::sample(int64_t index) const {
  SceneSample all = scene(index);
  return {std::move(all.image), all.label};
}

}  // namespace vitrail
