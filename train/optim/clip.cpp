#include "train/optim/clip.h"

#include <cmath>

#include "tensor/machine/parallel.h"
#include "tensor/ops/elementwise.h"
#include "train/printable.h"

namespace vitrail {

namespace {

template <class T>
double squares_of(const T* p, int64_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(p[i]) * static_cast<double>(p[i]);
  return sum;
}

double sum_of_squares(const Tensor& gradient) {
  const Tensor x = contiguous(gradient);
  return dispatch_float("grad_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* p = x.data<T>();
    return parallel_reduce(
        x.numel(), kElementwiseGrain, 0.0, [p](int64_t begin, int64_t end) { return squares_of(p + begin, end - begin); },
        [](double a, double b) { return a + b; });
  });
}

}  // namespace

double sum_of_squares(const float* gradient, int64_t n) { return squares_of(gradient, n); }
double sum_of_squares(const double* gradient, int64_t n) { return squares_of(gradient, n); }

double grad_norm(const std::vector<ParamGroup>& groups) {
  // LAB 5.3 BEGIN  one norm over the gradients of all parameters that an update will move, by sum_of_squares()
  double sum = 0;
  for (const ParamGroup& group : groups)
    for (const auto& [path, parameter] : group.parameters)
      if (parameter.requires_grad() && parameter.grad().defined()) sum += sum_of_squares(parameter.grad());
  return std::sqrt(sum);
  // LAB 5.3 END
}

double grad_norm(nn::Module& module) { return grad_norm(single_group(module)); }

double clip_scale(double norm, double max_norm) {
  // LAB 5.3 BEGIN  the factor that brings `norm` down to max_norm; 1 if it is not above, not finite, or max_norm is 0 (off)
  return max_norm > 0 && norm > max_norm && std::isfinite(norm) ? max_norm / norm : 1;
  // LAB 5.3 END
}

double clip_grad_norm(nn::Module& module, double max_norm) {
  check(max_norm > 0, ErrorKind::kValue, "clip_grad_norm", "max_norm must be above 0: it is ", max_norm, ".");
  // LAB 5.3 BEGIN  the gradients of all parameters times clip_scale(); returned is the norm before
  const double norm = grad_norm(module), scale = clip_scale(norm, max_norm);
  if (scale == 1) return norm;
  // New tensors: two parameters may share one gradient (the bias of a + b), which must not be scaled twice.
  for (auto& [path, parameter] : module.named_parameters())
    if (parameter->grad().defined()) parameter->set_grad(mul(parameter->grad(), scale));
  return norm;
  // LAB 5.3 END
}

void clip_grad_value(nn::Module& module, double limit) {
  check(limit > 0, ErrorKind::kValue, "clip_grad_value", "limit must be above 0: it is ", limit, ".");
  for (auto& [path, parameter] : module.named_parameters())
    if (parameter->grad().defined()) parameter->set_grad(clamp(parameter->grad(), -limit, limit));
}

void check_finite(double loss, double norm, int64_t step) {
  const char* what = std::isfinite(loss) ? "gradient norm" : "loss";
  check(std::isfinite(loss) && std::isfinite(norm), ErrorKind::kNumeric, "train", what, " is not finite at step ", step,
        ": loss is ", printable(loss), ", gradient norm is ", printable(norm),
        ". Hint: lower the learning rate or lengthen the warm-up; the weights were not touched.");
}

}  // namespace vitrail
