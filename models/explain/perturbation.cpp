#include "models/explain/perturbation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/augment/pixel_ops.h"
#include "tensor/ops.h"
#include "tensor/rng.h"

namespace vitrail::models::explain {
namespace {

constexpr int64_t kBatch = 8;

// Patch number i of `to` gets the pixels of `from`; both [C, H, W].
void copy_patch(const Tensor& to, const Tensor& from, Size2d grid, int64_t i) {
  const auto cut = [&](const Tensor& x) {
    const int64_t row = i / grid.w, column = i % grid.w, h = x.size(1), w = x.size(2);
    return slice(slice(x, 1, row * h / grid.h, (row + 1) * h / grid.h), 2, column * w / grid.w, (column + 1) * w / grid.w);
  };
  copy_(cut(to), cut(from));
}

double area_under(const Curve& c) {
  double area = 0;
  for (size_t i = 1; i < c.share.size(); ++i)
    area += (c.share[i] - c.share[i - 1]) * (c.probability[i] + c.probability[i - 1]) / 2;
  return area;
}

void add_part(Curve& sum, const Curve& c, double part) {
  sum.share = c.share, sum.area += part * c.area;
  sum.probability.resize(c.probability.size(), 0);
  for (size_t i = 0; i < c.probability.size(); ++i) sum.probability[i] += part * c.probability[i];
}

}  // namespace

PerturbationTest::PerturbationTest(const Encoder& encoder, const Tensor& picture, const Preprocessing& preprocessing,
                                   int64_t target, int64_t steps)
    : encoder_(encoder), target_(target), steps_(std::min(steps, encoder.grid.h * encoder.grid.w)) {
  check(steps >= 1 && steps <= 1000, ErrorKind::kValue, "explain", "steps must be in [1, 1000]: it is ", steps, ".");
  const double patch = static_cast<double>(std::max(encoder.image.h / encoder.grid.h, encoder.image.w / encoder.grid.w));
  image_ = finish(picture, preprocessing), mean_ = zeros_like(image_);
  blurred_ = finish(augment::gaussian_blur(picture, patch / 2), preprocessing);
}

Curve PerturbationTest::curve(const Tensor& from, const Tensor& to, const std::vector<int64_t>& order) const {
  const NoGradGuard no_grad;
  const nn::EvalGuard evaluation(*encoder_.model);
  const auto patches = static_cast<int64_t>(order.size());
  Tensor now = clone(from);
  Curve result;
  std::vector<Tensor> images;
  const auto answer = [&] {
    const Tensor probabilities = class_probabilities(encoder_, (*encoder_.model)(stack(images, 0)).value());
    for (int64_t i = 0; i < probabilities.size(0); ++i) result.probability.push_back(probabilities.at({i, target_}));
    images.clear();
  };
  for (int64_t step = 0, done = 0; step <= steps_; ++step) {
    const int64_t until = step * patches / steps_;
    for (; done < until; ++done) copy_patch(now, to, encoder_.grid, order[static_cast<size_t>(done)]);
    result.share.push_back(static_cast<double>(until) / static_cast<double>(patches));
    images.push_back(clone(now));
    if (static_cast<int64_t>(images.size()) == kBatch || step == steps_) answer();
  }
  result.area = area_under(result);
  return result;
}

Perturbation PerturbationTest::run(const std::vector<int64_t>& order) const {
  return {curve(image_, mean_, order), curve(blurred_, image_, order)};
}

std::vector<int64_t> order_of(const Tensor& map) {
  const std::vector<double> values = to_vector<double>(map);
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return values[a] > values[b]; });
  return order;
}

RandomOrders random_orders(const PerturbationTest& test, int64_t patches, int64_t count, uint64_t seed) {
  RandomOrders result;
  for (int64_t i = 0; i < count; ++i) {
    const Perturbation one = test.run(to_vector<int64_t>(rand_permutation(patches, Rng(seed, static_cast<uint64_t>(i)))));
    add_part(result.mean.deletion, one.deletion, 1.0 / static_cast<double>(count));
    add_part(result.mean.insertion, one.insertion, 1.0 / static_cast<double>(count));
    result.deletion_areas.push_back(one.deletion.area);
    result.insertion_areas.push_back(one.insertion.area);
  }
  return result;
}

}  // namespace vitrail::models::explain
