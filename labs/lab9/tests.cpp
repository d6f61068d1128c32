// Lab 9: pictures turned and mixed, and what a model looks at, each against loops of this file.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "autograd/ops.h"
#include "data/augment/mixing.h"
#include "data/transforms.h"
#include "labs/common/lab.h"
#include "labs/lab9/input_gradient.h"
#include "models/explain/attention.h"
#include "models/explain/relevance.h"
#include "models/explain/structure.h"
#include "models/vit.h"
#include "tensor/ops.h"

using namespace vitrail;

namespace {

// Numbers for probes, whatever the seed.
Tensor fixed(const Shape& shape, uint64_t stream, Dtype dtype = Dtype::f64) {
  return rand_normal(shape, 0, 1, Rng(stream), dtype);
}

// u8, no pixel 0; a view with its last axes exchanged in memory.
Tensor noise_picture(const Shape& shape, uint64_t stream) {
  Shape other = shape;
  std::swap(other[shape.size() - 1], other[shape.size() - 2]);
  return transpose(to(rand_int(other, 1, 256, Rng(stream)), Dtype::u8));
}

std::string bytes(const Tensor& x) {
  std::string text;
  for (const uint8_t value : to_vector<uint8_t>(contiguous(x))) text += cat(static_cast<int>(value), " ");
  return text;
}

// 1, 2, 3, ...
Tensor numbered(const Shape& shape) {
  return to(reshape(arange(1, 1 + static_cast<double>(checked_numel(shape)), 1, Dtype::f64), shape), Dtype::u8);
}

Tensor shifted(const Tensor& image, int64_t dy, int64_t dx) {
  Tensor result = zeros(image.shape(), Dtype::u8);
  uint8_t* out = result.mutable_data<uint8_t>();
  for (int64_t c = 0; c < image.size(0); ++c)
    for (int64_t y = 0; y < image.size(1); ++y)
      for (int64_t x = 0; x < image.size(2); ++x, ++out) {
        const int64_t row = y + dy, column = x + dx;
        if (row >= 0 && row < image.size(1) && column >= 0 && column < image.size(2))
          *out = static_cast<uint8_t>(image.at({c, row, column}));
      }
  return result;
}

}  // namespace

LAB_PROBE("9.1") {
  std::string text;
  for (uint64_t key = 0; key < 4; ++key) text += bytes(random_crop(numbered({2, 3, 4}), 1, Rng(1).at(key))) + "| ";
  return text;
}
LAB_PROBE("9.1") {
  std::map<std::string, int> found;
  for (uint64_t key = 0; key < 60; ++key) ++found[bytes(random_crop(numbered({1, 3, 3}), 1, Rng(2).at(key)))];
  return cat(found.size());
}
LAB_PROBE("9.1") { return bytes(mirror(numbered({2, 2, 3}))); }
// In the middle of a larger memory, so that a read beyond the picture finds numbers that stand there.
LAB_PROBE("9.1") {
  const Tensor around = numbered({4, 3, 4});
  std::string text;
  for (uint64_t key = 0; key < 8; ++key) text += bytes(random_crop(slice(around, 0, 1, 3), 1, Rng(4).at(key))) + "| ";
  return text;
}

TEST_SUITE("9.1") {
  TEST_CASE("a crop is the picture moved by what the generator says, zeros coming in, all channels alike") {
    for (uint64_t key = 0; key < 40; ++key) {
      const Tensor image = noise_picture({3, 6, 4}, 911);
      const Rng rng = Rng(lab::seed()).at(key);
      const int64_t padding = 1 + static_cast<int64_t>(key % 4), span = 2 * padding + 1;
      const int64_t dy = static_cast<int64_t>(rng.below(0, static_cast<uint64_t>(span))) - padding,
                    dx = static_cast<int64_t>(rng.below(1, static_cast<uint64_t>(span))) - padding;
      CAPTURE(dy);
      CAPTURE(dx);
      const Tensor crop = random_crop(image, padding, rng), wanted = shifted(image, dy, dx);
      CHECK(lab::difference(crop, wanted, 0) == "");  // says where
      CHECK(bit_equal(crop, wanted));
    }
  }
  TEST_CASE("every one of the 25 shifts of padding 2 is as frequent as the others") {
    const Tensor image = noise_picture({1, 7, 5}, 912);
    std::map<std::pair<int64_t, int64_t>, int> count;
    int64_t unknown = 0;
    for (uint64_t key = 0; key < 1500; ++key) {
      const Tensor crop = random_crop(image, 2, Rng(lab::seed() + 5).at(key));
      bool found = false;
      for (int64_t shift = 0; shift < 25 && !found; ++shift) {
        const int64_t dy = shift / 5 - 2, dx = shift % 5 - 2;
        found = crop.at({0, 3, 2}) == image.at({0, 3 + dy, 2 + dx}) && bit_equal(crop, shifted(image, dy, dx));
        count[{dy, dx}] += found;
      }
      unknown += !found;
    }
    double chi_squared = 0;  // 24 degrees of freedom: above 80 once in 10 million seeds
    for (const auto& entry : count) chi_squared += std::pow(entry.second - 60.0, 2) / 60;
    CHECK(unknown == 0);
    CHECK(count.size() == 25);
    CHECK(chi_squared < 80);
  }
  TEST_CASE("a shift beyond the picture leaves nothing, none leaves everything") {
    const Tensor image = noise_picture({2, 2, 2}, 913);
    CHECK(bit_equal(random_crop(image, 0, Rng(lab::seed())), contiguous(image)));
    int64_t empty = 0;
    for (uint64_t key = 0; key < 50; ++key)
      empty += bit_equal(random_crop(image, 9, Rng(lab::seed()).at(key)), zeros({2, 2, 2}, Dtype::u8));
    CHECK(empty > 10);
  }
  TEST_CASE("a mirror exchanges left and right, and nothing else") {
    const Tensor image = noise_picture({3, 4, 5}, 914), turned = mirror(image);
    Tensor wanted = zeros({3, 4, 5}, Dtype::u8);
    for (int64_t i = 0; i < 60; ++i)
      wanted.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(image.at({i / 20, i / 5 % 4, 4 - i % 5}));
    CHECK(lab::difference(turned, wanted, 0) == "");
    CHECK(bit_equal(mirror(turned), contiguous(image)));
  }
}

namespace {

// `count` pictures [2, h, w] with labels 0, 1, 2, 0, 1, 2, ...
Batch batch_of(int64_t count, int64_t h, int64_t w, uint64_t stream) {
  Batch batch;
  batch.images = fixed({count, 2, h, w}, stream, Dtype::f32);
  batch.labels = zeros({count}, Dtype::i64);
  batch.targets.resize(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    batch.targets[static_cast<size_t>(i)].label = batch.labels.mutable_data<int64_t>()[i] = i % 3;
    batch.indices.push_back(i);
  }
  return batch;
}

// What mix() must make of the pictures [begin, end), by the plan that it draws.
std::string mixed_wrongly(const Batch& before, const Batch& after, int64_t begin, int64_t end, const augment::Mix& plan) {
  Tensor all = zeros(before.images.shape(), Dtype::f64);
  double* place = all.mutable_data<double>();
  for (int64_t i = 0; i < before.size(); ++i) {
    const bool touched = i >= begin && i < end && !plan.partners.empty();
    const int64_t j = touched ? begin + plan.partners[static_cast<size_t>(i - begin)] : i;
    for (int64_t c = 0; c < 2; ++c)
      for (int64_t y = 0; y < before.images.size(2); ++y)
        for (int64_t x = 0; x < before.images.size(3); ++x) {
          const double own = before.images.at({i, c, y, x}), other = before.images.at({j, c, y, x});
          const bool inside = y >= plan.cut.top && y < plan.cut.top + plan.cut.height && x >= plan.cut.left &&
                              x < plan.cut.left + plan.cut.width;
          const double blend = plan.lambda * own + (1 - plan.lambda) * other;
          *place++ = plan.cut.height > 0 ? (inside ? other : own) : (i == j ? own : blend);
        }
  }
  return lab::difference(after.images, all, 1e-5);
}

std::string labelled_wrongly(const Batch& after, int64_t begin, int64_t end, int64_t classes, const augment::Mix& plan) {
  std::string wrong;
  for (int64_t i = begin; i < end && wrong.empty(); ++i) {
    const int64_t j = plan.partners.empty() ? i : begin + plan.partners[static_cast<size_t>(i - begin)];
    for (int64_t c = 0; c < classes; ++c) {
      const double wanted = plan.lambda * (c == i % 3) + (1 - plan.lambda) * (c == j % 3);
      const double given = after.soft_labels.at({i, c});
      if (wrong.empty() && std::abs(given - wanted) > 1e-6)
        wrong = cat("picture ", i, ", class ", c, ": the share is ", given, ", it should be ", wanted);
    }
    const int64_t label = (plan.lambda >= 0.5 ? i : j) % 3;
    if (wrong.empty() && after.labels.at({i}) != static_cast<double>(label))
      wrong = cat("picture ", i, ": the label is ", after.labels.at({i}), ", it should be ", label);
  }
  return wrong;
}

std::string mixed(const augment::Mixing& mixing, uint64_t key) {
  Batch batch = batch_of(5, 3, 4, 1);
  augment::mix(batch, 1, 5, 4, mixing, Rng(1).at(key));
  return lab::digits(batch.images, 3) + lab::digits(batch.soft_labels, 4) + lab::digits(to(batch.labels, Dtype::f64), 2);
}

std::string cut_of(uint64_t key) {
  const augment::Mix plan = augment::draw_mix({.cutmix = 1}, 3, 12, 7, Rng(3).at(key));
  return cat(plan.cut.top, " ", plan.cut.left, " ", plan.cut.height, " ", plan.cut.width, " ", lab::digits({plan.lambda}, 4));
}

}  // namespace

LAB_PROBE("9.2") { return mixed({.mixup = 1}, 1) + mixed({.mixup = 1}, 2) + mixed({.mixup = 1}, 3) + mixed({.mixup = 1}, 4); }
LAB_PROBE("9.2") {
  return mixed({.cutmix = 1}, 1) + mixed({.cutmix = 1}, 2) + mixed({.cutmix = 1}, 3) + mixed({.cutmix = 1}, 4);
}
LAB_PROBE("9.2") {
  std::string text;
  for (uint64_t key = 0; key < 12; ++key) text += cut_of(key) + "; ";
  return text;
}

TEST_SUITE("9.2") {
  TEST_CASE("mixup: every pixel is lambda own + (1 - lambda) partner's, and the labels are mixed alike") {
    for (uint64_t key = 0; key < 12; ++key) {
      const Batch before = batch_of(6, 5, 4, 921);
      Batch after = batch_of(6, 5, 4, 921);
      const Rng rng = Rng(lab::seed()).at(key);
      const augment::Mix plan = augment::draw_mix({.mixup = 0.7}, 4, 5, 4, rng);
      augment::mix(after, 1, 5, 8, {.mixup = 0.7}, rng);
      CAPTURE(plan.lambda);
      CHECK(mixed_wrongly(before, after, 1, 5, plan) == "");
      CHECK(labelled_wrongly(after, 1, 5, 8, plan) == "");
    }
  }
  TEST_CASE("CutMix: the rectangle is the partner's in every channel, and lambda is what is left of the picture") {
    for (uint64_t key = 0; key < 12; ++key) {
      const Batch before = batch_of(5, 6, 9, 922);
      Batch after = batch_of(5, 6, 9, 922);
      const Rng rng = Rng(lab::seed()).at(100 + key);
      const augment::Mix plan = augment::draw_mix({.cutmix = 1}, 5, 6, 9, rng);
      augment::mix(after, 0, 5, 5, {.cutmix = 1}, rng);
      CHECK(plan.lambda == doctest::Approx(1 - static_cast<double>(plan.cut.height * plan.cut.width) / 54));
      CAPTURE(plan.lambda);
      CHECK(mixed_wrongly(before, after, 0, 5, plan) == "");
      CHECK(labelled_wrongly(after, 0, 5, 5, plan) == "");
    }
  }
  TEST_CASE("the rectangle: sides sqrt(1 - lambda) of the picture, anywhere, cut off at the border") {
    int64_t at_border = 0;
    std::string first_wrong;
    for (uint64_t key = 0; key < 200; ++key) {
      const Rng rng = Rng(lab::seed() + 3).at(key);
      const augment::Mix plan = augment::draw_mix({.cutmix = 1}, 2, 24, 15, rng);
      const double side = std::sqrt(1 - augment::draw_beta(1, rng.at(2)));
      const auto along = [&](const char* axis, int64_t centre, int64_t extent, int64_t begin, int64_t length) {
        const auto whole = static_cast<int64_t>(static_cast<double>(extent) * side);
        const int64_t first = std::max<int64_t>(0, centre - whole / 2), last = std::min(extent, centre + (whole + 1) / 2);
        at_border += last - first < whole;
        if (first_wrong.empty() && (begin != first || length != last - first))
          first_wrong = cat(axis, ", a side of ", whole, " about ", centre, " of ", extent, ": [", begin, ", ", begin + length,
                            "), it should be [", first, ", ", last, ")");
      };
      along("rows", static_cast<int64_t>(rng.below(3, 24)), 24, plan.cut.top, plan.cut.height);
      along("columns", static_cast<int64_t>(rng.below(4, 15)), 15, plan.cut.left, plan.cut.width);
    }
    CHECK(first_wrong == "");
    CHECK(at_border > 20);
  }
}

#include "labs/lab9/tests_seeing.h"
