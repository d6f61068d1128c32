#include "train/ema.h"

#include <algorithm>

#include "tensor/parallel.h"

namespace vitrail {

namespace {

// a = d a + (1 - d) w
void blend(Tensor& average, const Tensor& weight, double decay) {
  const Tensor w = contiguous(weight);
  dispatch_float("ema", average.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* a = average.mutable_data<T>();
    const T* from = w.data<T>();
    const T keep = static_cast<T>(decay), take = static_cast<T>(1 - decay);
    parallel_for(average.numel(), kElementwiseGrain, [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) a[i] = keep * a[i] + take * from[i];
    });
  });
}

}  // namespace

Ema::Ema(nn::Module& module, double decay) : parameters_(module.named_parameters()), decay_(decay) {
  check(decay >= 0 && decay < 1, ErrorKind::kValue, "ema", "decay must be in [0, 1): it is ", decay, ".");
  for (const nn::NamedBuffer& entry : module.named_buffers())
    if (entry.buffer->defined() && is_float(entry.buffer->dtype())) buffers_.push_back(entry);
  for (const auto& entry : parameters_) averages_.push_back(clone(entry.parameter->value()));
  for (const auto& entry : buffers_) averages_.push_back(clone(*entry.buffer));
}

double Ema::decay_at(int64_t update) const {
  const double t = static_cast<double>(update);
  return std::min(decay_, (1 + t) / (10 + t));
}

void Ema::update() {
  const double decay = decay_at(updates_);
  for (size_t i = 0; i < parameters_.size(); ++i) blend(averages_[i], parameters_[i].parameter->value(), decay);
  for (size_t i = 0; i < buffers_.size(); ++i) blend(averages_[parameters_.size() + i], *buffers_[i].buffer, decay);
  ++updates_;
}

void Ema::swap() {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Tensor mine = averages_[i];
    averages_[i] = parameters_[i].parameter->value();
    parameters_[i].parameter->set_value(mine);
  }
  for (size_t i = 0; i < buffers_.size(); ++i) std::swap(averages_[parameters_.size() + i], *buffers_[i].buffer);
}

nn::StateDict Ema::state() const {
  nn::StateDict result;
  for (size_t i = 0; i < parameters_.size(); ++i) result.emplace_back(parameters_[i].name, averages_[i]);
  for (size_t i = 0; i < buffers_.size(); ++i) result.emplace_back(buffers_[i].name, averages_[parameters_.size() + i]);
  return result;
}

void Ema::load_state(const nn::StateDict& given) {
  const nn::StateDict mine = state();
  check(given.size() == mine.size(), ErrorKind::kValue, "ema", "the numbers of tensors differ: ", given.size(), " are given, ",
        mine.size(), " are kept.");
  for (size_t i = 0; i < mine.size(); ++i) {
    const bool fits = given[i].first == mine[i].first && given[i].second.shape() == mine[i].second.shape() &&
                      given[i].second.dtype() == mine[i].second.dtype();
    check(fits, ErrorKind::kValue, "ema", "tensor ", i, " differs: given is ", given[i].first, " ", given[i].second.shape(),
          ", kept is ", mine[i].first, " ", mine[i].second.shape(), ".");
  }
  for (size_t i = 0; i < mine.size(); ++i) copy_(averages_[i], given[i].second);
}

}  // namespace vitrail
