#include "train/optim/optim.h"

namespace vitrail {

namespace {

std::vector<std::string> states(const SgdOptions& options) {
  return options.momentum != 0 ? std::vector<std::string>{"momentum_buffer"} : std::vector<std::string>{};
}

template <class T, class Chunk>
void plain(const Chunk& c) {
  T* p = c.p;
  const T* g = c.g;
  const T lr = static_cast<T>(c.lr), decay = static_cast<T>(c.weight_decay), scale = static_cast<T>(c.grad_scale);
#pragma omp simd
  for (int64_t i = 0; i < c.n; ++i) p[i] -= lr * (scale * g[i] + decay * p[i]);
}

template <class T, class Chunk>
void with_momentum(const Chunk& c, const SgdOptions& options) {
  T* __restrict p = c.p, * __restrict b = c.s[0];
  const T* __restrict g = c.g;
  const T lr = static_cast<T>(c.lr), decay = static_cast<T>(c.weight_decay), scale = static_cast<T>(c.grad_scale);
  const T momentum = static_cast<T>(options.momentum), damped = static_cast<T>(1 - options.dampening);
  // LAB 5.1 BEGIN  buffer b and weight p of all c.n elements: one step along b, or (options.nesterov) along g + momentum b
  // The first buffer is the gradient itself, undamped.
  const T keep = c.step == 1 ? T(0) : momentum;
  const T take = c.step == 1 ? T(1) : damped;
  // The step is along: b, or with Nesterov g + momentum b.
  const T along_g = options.nesterov ? T(1) : T(0), along_b = options.nesterov ? momentum : T(1);
  for (int64_t i = 0; i < c.n; ++i) {
    const T grad = scale * g[i] + decay * p[i];
    const T velocity = keep * b[i] + take * grad;
    b[i] = velocity;
    p[i] -= lr * (along_g * grad + along_b * velocity);
  }
  // LAB 5.1 END
}

}  // namespace

Sgd::Sgd(std::vector<ParamGroup> groups, const SgdOptions& options)
    : Optimizer(std::move(groups), states(options)), options_(options) {
  check(options.momentum >= 0 && options.momentum < 1, ErrorKind::kValue, "sgd", "momentum must be in [0, 1): it is ",
        options.momentum, ".");
  check(options.dampening >= 0 && options.dampening <= 1, ErrorKind::kValue, "sgd", "dampening must be in [0, 1]: it is ",
        options.dampening, ".");
  check(!options.nesterov || (options.momentum > 0 && options.dampening == 0), ErrorKind::kValue, "sgd",
        "nesterov needs momentum > 0 and dampening 0: momentum is ", options.momentum, ", dampening is ", options.dampening,
        ".");
}

void Sgd::update(const Chunk<float>& c) const { options_.momentum == 0 ? plain<float>(c) : with_momentum<float>(c, options_); }
void Sgd::update(const Chunk<double>& c) const {
  options_.momentum == 0 ? plain<double>(c) : with_momentum<double>(c, options_);
}

}  // namespace vitrail
