#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "autograd/record.h"
#include "tensor/rng.h"

namespace vitrail {
namespace {

using Function = std::function<Variable(const std::vector<Variable>&)>;

// The memory offset of each element of x, in row-major order.
std::vector<int64_t> offsets_of(const Tensor& x) {
  std::vector<int64_t> offsets(x.numel(), x.offset());
  for (int64_t element = 0; element < x.numel(); ++element) {
    int64_t rest = element;
    for (int axis = x.dim() - 1; axis >= 0; --axis) {
      offsets[element] += rest % x.shape()[axis] * x.strides()[axis];
      rest /= x.shape()[axis];
    }
  }
  return offsets;
}

// A leaf with the same strides over a copy of the whole block, so that writes to it change no other tensor.
Variable private_copy(const Variable& x) {
  if (!x.defined()) return x;
  check(!x.requires_grad() || x.dtype() == Dtype::f64, ErrorKind::kValue, "gradcheck",
        "inputs that require a gradient must be f64: one is ", name_of(x.dtype()),
        ". Hint: in f32 the central difference is mostly rounding; use to(x, Dtype::f64).");
  const Tensor& value = x.value();
  auto storage = std::make_shared<Storage>(value.storage()->bytes());
  if (storage->bytes() > 0) std::memcpy(storage->data(), value.storage()->data(), static_cast<size_t>(storage->bytes()));
  return Variable(Tensor(storage, value.shape(), value.strides(), value.offset(), value.dtype()), x.requires_grad());
}

// x itself, or a contiguous copy if elements share memory (an expanded x), since one write would change all of them.
Variable movable(const Variable& x) {
  if (!x.requires_grad()) return x;
  std::vector<int64_t> offsets = offsets_of(x.value());
  std::sort(offsets.begin(), offsets.end());
  const bool shared = std::adjacent_find(offsets.begin(), offsets.end()) != offsets.end();
  return shared ? Variable(clone(x.value()), true) : x;
}

// make(x) for each input; a Variable that is passed twice stays one Variable.
std::vector<Variable> map_inputs(const std::vector<Variable>& inputs, Variable (*make)(const Variable&)) {
  std::map<const Meta*, Variable> made;
  std::vector<Variable> result;
  for (const Variable& x : inputs) {
    const auto [at, fresh] = made.try_emplace(x.meta().get());
    if (fresh) at->second = make(x);
    result.push_back(at->second);
  }
  return result;
}

// The elements to check: all, or max_elements of them chosen by seed, one from each of as many parts of equal length.
std::vector<int64_t> elements_to_check(int64_t numel, const GradcheckOptions& options) {
  const int64_t count = std::min(numel, options.max_elements);
  const Rng random(options.seed, 1);
  std::vector<int64_t> elements;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = numel * i / count, end = numel * (i + 1) / count;
    elements.push_back(begin +
                       static_cast<int64_t>(random.below(static_cast<uint64_t>(i), static_cast<uint64_t>(end - begin))));
  }
  return elements;
}

// One function at one point, with its cotangent.
struct Point {
  const Function& fn;
  const std::vector<Variable>& inputs;
  std::vector<double> cotangent;

  std::vector<double> evaluate() const {
    const NoGradGuard no_grad;
    return to_vector<double>(fn(inputs).value());
  }

  // The derivative of the dot product <cotangent, fn(inputs)> with respect to *x, as a central difference.
  double derivative(double* x, double eps) const {
    // LAB 3.7 BEGIN  <cotangent, evaluate() at x + eps - evaluate() at x - eps> / step; then *x is to the bit what it was.
    const double before = *x;
    *x = before + eps;
    const double high = *x;
    const std::vector<double> y_high = evaluate();
    *x = before - eps;
    const double low = *x;
    const std::vector<double> y_low = evaluate();
    *x = before;
    double sum = 0;
    for (size_t i = 0; i < cotangent.size(); ++i) sum += cotangent[i] * (y_high[i] - y_low[i]);
    return sum / (high - low);  // the step after rounding, which differs from 2 eps
    // LAB 3.7 END
  }
};

void compare(double analytic, double numeric, const std::string& where, const GradcheckOptions& options,
             GradcheckResult* result) {
  // LAB 3.7 BEGIN  Enter one element into max_error and max_ratio; the first ratio above 1 (or NaN) sets ok and message.
  double error = std::abs(analytic - numeric);
  if (!std::isfinite(error)) error = INFINITY;  // std::max() would ignore a NaN
  const double ratio = error / (options.atol + options.rtol * std::abs(std::isfinite(numeric) ? numeric : 0));
  result->max_error = std::max(result->max_error, error);
  result->max_ratio = std::max(result->max_ratio, ratio);
  if (ratio <= 1 || !result->ok) return;
  result->ok = false;
  result->message = cat(where, ": backward gives ", analytic, ", the central difference ", numeric);
  // LAB 3.7 END
}

}  // namespace

GradcheckResult gradcheck(const Function& fn, const std::vector<Variable>& inputs, const GradcheckOptions& options) {
  const std::vector<Variable> leaves = map_inputs(inputs, private_copy);
  check(std::any_of(leaves.begin(), leaves.end(), [](const Variable& x) { return x.requires_grad(); }), ErrorKind::kValue,
        "gradcheck", "no input requires a gradient. Hint: make it with Variable(tensor, true).");
  const EnableGradGuard enable_grad;
  const Variable y = fn(leaves);
  check(y.dtype() == Dtype::f64, ErrorKind::kValue, "gradcheck", "the output must be f64: it is ", name_of(y.dtype()));
  // LAB 3.7 BEGIN  Backward with a random cotangent, then every chosen element of every input that requires a gradient.
  const Tensor dy = rand_normal(y.shape(), 0, 1, Rng(options.seed), Dtype::f64);
  if (y.requires_grad()) y.backward(dy);  // else fn cut the graph: all gradients count as 0, and the comparison fails

  const std::vector<Variable> moving = map_inputs(leaves, movable);
  const Point point{fn, moving, to_vector<double>(dy)};
  GradcheckResult result;
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!leaves[i].requires_grad()) continue;
    const Tensor& gradient = leaves[i].grad();
    const std::vector<double> analytic = to_vector<double>(gradient.defined() ? gradient : zeros_like(leaves[i].value()));
    auto* memory = static_cast<double*>(moving[i].value().storage()->data());
    const std::vector<int64_t> offsets = offsets_of(moving[i].value());
    for (int64_t element : elements_to_check(leaves[i].numel(), options)) {
      const double numeric = point.derivative(memory + offsets[element], options.eps);
      compare(analytic[element], numeric, cat("input ", i, " of shape ", leaves[i].shape(), ", element ", element), options,
              &result);
    }
  }
  return result;
  // LAB 3.7 END
}

}  // namespace vitrail
