#include "data/augment/mixing.h"

#include <algorithm>
#include <cmath>

#include "tensor/machine/parallel.h"
#include "tensor/view.h"

namespace vitrail::augment {
namespace {

// For alpha < 1: Gamma(alpha + 1) u^(1 / alpha). In logarithms, since u^(1 / alpha) underflows for a small alpha.
double log_gamma_number(double alpha, const Rng& rng) {
  const double shape = alpha < 1 ? alpha + 1 : alpha, d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (uint64_t attempt = 1;; ++attempt) {
    const double x = rng.normal(2 * attempt), v = std::pow(1 + c * x, 3), u = 1 - rng.uniform(2 * attempt + 1);
    if (v <= 0 || std::log(u) >= 0.5 * x * x + d - d * v + d * std::log(v)) continue;
    return std::log(d * v) + (alpha < 1 ? std::log(1 - rng.uniform(0)) / alpha : 0);
  }
}

void check_mixing(const Mixing& m) {
  for (const double alpha : {m.mixup, m.cutmix})
    check(alpha >= 0 && alpha <= 1000, ErrorKind::kValue, "mix", "alpha must lie in [0, 1000]: it is ", alpha);
  check(m.any(), ErrorKind::kValue, "mix", "neither mixup nor cutmix is on.");
}

void mix_pictures(Tensor& images, int64_t begin, const Mix& mix) {
  const Tensor before = clone(slice(images, 0, begin, begin + static_cast<int64_t>(mix.partners.size())));
  const int64_t channels = images.size(1), height = images.size(2), width = images.size(3), numel = channels * height * width;
  float* pixels = images.mutable_data<float>() + begin * numel;
  const float* old = before.data<float>();
  const auto keep = static_cast<float>(mix.lambda), take = static_cast<float>(1 - mix.lambda);
  parallel_for(static_cast<int64_t>(mix.partners.size()), 1, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const float *own = old + i * numel, *other = old + mix.partners[static_cast<size_t>(i)] * numel;
      float* out = pixels + i * numel;
      // LAB 9.2 BEGIN  mixup: keep own + take other. With a cut: the pixels of other inside it, in every channel.
      if (mix.cut.height == 0) {
        if (own != other)
          for (int64_t k = 0; k < numel; ++k) out[k] = keep * own[k] + take * other[k];
        continue;
      }
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t y = mix.cut.top; y < mix.cut.top + mix.cut.height; ++y)
          std::copy_n(other + (c * height + y) * width + mix.cut.left, mix.cut.width,
                      out + (c * height + y) * width + mix.cut.left);
      // LAB 9.2 END
    }
  });
}

void mix_labels(Batch& batch, int64_t begin, int64_t end, int64_t classes, const Mix& plan) {
  float* soft = batch.soft_labels.mutable_data<float>();
  int64_t* labels = batch.labels.mutable_data<int64_t>();
  const std::vector<int64_t> own(labels + begin, labels + end);
  for (const int64_t label : own)
    check(label >= 0 && label < classes, ErrorKind::kValue, "mix", "label ", label, " is outside [0, ", classes,
          "). Hint: mixup and cutmix are for classification.");
  for (int64_t i = 0; i < end - begin; ++i) {
    const int64_t other = plan.partners.empty() ? own[i] : own[plan.partners[i]];
    // LAB 9.2 BEGIN  Add lambda and 1 - lambda to the two classes in soft, and set the label of the larger part.
    soft[(begin + i) * classes + own[i]] += static_cast<float>(plan.lambda);
    soft[(begin + i) * classes + other] += static_cast<float>(1 - plan.lambda);
    labels[begin + i] = plan.lambda >= 0.5 ? own[i] : other;
    // LAB 9.2 END
  }
}

// Each class by itself: what is on both pictures stays 1.
void mix_class_labels(Batch& batch, int64_t begin, int64_t end, const Mix& plan) {
  const int64_t classes = batch.class_labels.size(1);
  const float* own = batch.class_labels.data<float>();
  float* soft = batch.soft_labels.mutable_data<float>();
  const auto keep = static_cast<float>(plan.lambda), take = static_cast<float>(1 - plan.lambda);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t other = plan.partners.empty() ? i : begin + plan.partners[static_cast<size_t>(i - begin)];
    for (int64_t c = 0; c < classes; ++c) {
      const float a = own[i * classes + c], b = own[other * classes + c];
      soft[i * classes + c] = a == b ? a : keep * a + take * b;
    }
  }
}

}  // namespace

double draw_beta(double alpha, const Rng& rng) {
  check(alpha > 0 && std::isfinite(alpha), ErrorKind::kValue, "draw_beta", "alpha must be positive: it is ", alpha);
  return 1 / (1 + std::exp(log_gamma_number(alpha, rng.at(1)) - log_gamma_number(alpha, rng.at(0))));
}

Mix draw_mix(const Mixing& mixing, int64_t count, int64_t height, int64_t width, const Rng& rng) {
  check_mixing(mixing);
  const bool both = mixing.mixup > 0 && mixing.cutmix > 0;
  const bool cut = both ? rng.uniform(0) < mixing.switch_probability : mixing.cutmix > 0;
  Mix mix;
  mix.partners = to_vector<int64_t>(rand_permutation(count, rng.at(1)));
  mix.lambda = draw_beta(cut ? mixing.cutmix : mixing.mixup, rng.at(2));
  if (!cut) return mix;
  // LAB 9.2 BEGIN  mix.cut: centre (rng.below(3, height), rng.below(4, width)), cut off at the border; then mix.lambda.
  const double side = std::sqrt(1 - mix.lambda);
  const auto h = static_cast<int64_t>(static_cast<double>(height) * side),
             w = static_cast<int64_t>(static_cast<double>(width) * side);
  const auto y = static_cast<int64_t>(rng.below(3, static_cast<uint64_t>(height))),
             x = static_cast<int64_t>(rng.below(4, static_cast<uint64_t>(width)));
  const auto span = [](int64_t centre, int64_t length, int64_t whole) {
    return std::pair(std::clamp<int64_t>(centre - length / 2, 0, whole),
                     std::clamp<int64_t>(centre + (length + 1) / 2, 0, whole));
  };
  const auto rows = span(y, h, height), columns = span(x, w, width);
  mix.cut = {rows.first, columns.first, rows.second - rows.first, columns.second - columns.first};
  mix.lambda = 1 - static_cast<double>(mix.cut.height * mix.cut.width) / static_cast<double>(height * width);
  // LAB 9.2 END
  if (mix.lambda == 1) mix.partners = {};  // an empty rectangle
  return mix;
}

void mix(Batch& batch, int64_t begin, int64_t end, int64_t classes, const Mixing& mixing, const Rng& rng) {
  check(begin >= 0 && begin <= end && end <= batch.size(), ErrorKind::kValue, "mix", "there are no pictures [", begin, ", ",
        end, ") in a batch of ", batch.size());
  if (!batch.soft_labels.defined()) batch.soft_labels = zeros({batch.size(), classes});
  const Mix plan = draw_mix(mixing, end - begin, batch.images.size(2), batch.images.size(3), rng);
  if (batch.class_labels.defined())
    mix_class_labels(batch, begin, end, plan);
  else
    mix_labels(batch, begin, end, classes, plan);
  mix_pictures(batch.images, begin, plan);
}

}  // namespace vitrail::augment
