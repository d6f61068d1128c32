#include "train/optim/ema.h"

#include <algorithm>
#include <utility>

#include "train/optim/stretches.h"

namespace vitrail {

namespace {

// a = keep a + take w for n elements.
template <class T>
void blend_stretch(T* __restrict a, const T* __restrict w, int64_t n, T keep, T take) {
  // LAB 5.6 BEGIN  the new averages a; where a is w already, it keeps its bits
  for (int64_t i = 0; i < n; ++i) {
    const T mixed = keep * a[i] + take * w[i];
    a[i] = a[i] == w[i] ? a[i] : mixed;
  }
  // LAB 5.6 END
}

// a = d a + (1 - d) w for all pairs of one dtype, in one pass. A weight that does not move (a frozen one) keeps its bits,
// which the sum of the two products would round.
template <class T>
void blend(std::vector<Tensor>& averages, const std::vector<Tensor>& weights, double decay) {
  std::vector<Tensor> held;  // keeps contiguous copies alive
  std::vector<std::pair<T*, const T*>> pairs;
  std::vector<int64_t> lengths;
  for (size_t i = 0; i < averages.size(); ++i) {
    if (averages[i].dtype() != dtype_of<T>()) continue;
    held.push_back(contiguous(weights[i]));
    pairs.emplace_back(averages[i].mutable_data<T>(), held.back().data<T>());
    lengths.push_back(averages[i].numel());
  }
  const T keep = static_cast<T>(decay), take = static_cast<T>(1 - decay);
  for_each_stretch(lengths, [&](int64_t i, int64_t begin, int64_t end) {
    blend_stretch(pairs[i].first + begin, pairs[i].second + begin, end - begin, keep, take);
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
  // LAB 5.6 BEGIN  the decay of update number t = 0, 1, ...: decay_, but not above (1 + t) / (10 + t)
  const double t = static_cast<double>(update);
  return std::min(decay_, (1 + t) / (10 + t));
  // LAB 5.6 END
}

void Ema::update() {
  const double decay = decay_at(updates_);
  std::vector<Tensor> weights;
  for (const auto& entry : parameters_) weights.push_back(entry.parameter->value());
  for (const auto& entry : buffers_) weights.push_back(*entry.buffer);
  for (size_t i = 0; i < weights.size(); ++i) {
    const std::string& path = i < parameters_.size() ? parameters_[i].name : buffers_[i - parameters_.size()].name;
    check(weights[i].shape() == averages_[i].shape() && weights[i].dtype() == averages_[i].dtype(), ErrorKind::kValue, "ema",
          "average and weight differ: ", path, " is ", name_of(weights[i].dtype()), " ", weights[i].shape(),
          ", its average is ", name_of(averages_[i].dtype()), " ", averages_[i].shape(),
          ". Hint: a value of another shape needs a new Ema.");
  }
  blend<float>(averages_, weights, decay);
  blend<double>(averages_, weights, decay);
  ++updates_;
}

void Ema::swap() {
  swapped_ = !swapped_;
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
