#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "autograd/node.h"
#include "tensor/rng.h"

namespace vitrail {
namespace {

using Function = std::function<Variable(const std::vector<Variable>&)>;

// <c, fn(inputs)>, accumulated in double.
double weighted_output(const Function& fn, const std::vector<Variable>& inputs, const std::vector<double>& c) {
  const NoGradGuard no_grad;
  const std::vector<double> y = to_vector<double>(fn(inputs).value());
  double total = 0;
  for (size_t i = 0; i < y.size(); ++i) total += c[i] * y[i];
  return total;
}

// The inputs, where element `place` (row-major) of input `which` is moved by `step`.
std::vector<Variable> moved(const std::vector<Variable>& inputs, size_t which, int64_t place, double step) {
  std::vector<Variable> result = inputs;
  Tensor value = clone(inputs[which].value());
  value.mutable_data<double>()[place] += step;
  result[which] = Variable(value);
  return result;
}

// The places to look at: all, or a sample of them.
std::vector<int64_t> places_of(int64_t numel, const GradcheckOptions& options, uint64_t stream) {
  std::vector<int64_t> places(static_cast<size_t>(std::min(numel, options.max_elements)));
  const Rng rng(options.seed, stream);
  for (size_t i = 0; i < places.size(); ++i) {
    const bool all = numel <= options.max_elements;
    places[i] = all ? static_cast<int64_t>(i) : static_cast<int64_t>(rng.below(i, static_cast<uint64_t>(numel)));
  }
  return places;
}

void compare(double analytic, double numeric, const std::string& where, const GradcheckOptions& options,
             GradcheckResult& result) {
  const double error = std::abs(analytic - numeric), allowed = options.atol + options.rtol * std::abs(numeric);
  const double ratio = std::isfinite(error) ? error / allowed : INFINITY;  // a NaN must not pass for being incomparable
  result.max_error = std::max(result.max_error, std::isfinite(error) ? error : INFINITY);
  result.max_ratio = std::max(result.max_ratio, ratio);
  if (ratio <= 1 || !result.ok) return;
  result.ok = false;
  result.message = cat(where, ": backward gives ", analytic, ", central difference ", numeric, " (difference ", error,
                       ", allowed ", allowed, ")");
}

}  // namespace

GradcheckResult gradcheck(const Function& fn, const std::vector<Variable>& inputs, const GradcheckOptions& options) {
  std::vector<Variable> leaves;
  for (const Variable& x : inputs) {
    check(!x.defined() || !x.requires_grad() || x.dtype() == Dtype::f64, ErrorKind::kValue, "gradcheck",
          "inputs that require a gradient must be f64: one is ", x.defined() ? name_of(x.dtype()) : "undefined",
          ". Hint: in f32 the central difference is mostly rounding.");
    leaves.push_back(x.defined() ? Variable(x.value(), x.requires_grad()) : x);
  }
  const Variable y = fn(leaves);
  check(y.dtype() == Dtype::f64, ErrorKind::kValue, "gradcheck", "the output must be f64: it is ", name_of(y.dtype()));
  const Tensor cotangent = rand_normal(y.shape(), 0, 1, Rng(options.seed, 77), Dtype::f64);
  const std::vector<double> c = to_vector<double>(cotangent);
  if (y.requires_grad()) y.backward(cotangent);

  GradcheckResult result;
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!leaves[i].defined() || !leaves[i].requires_grad()) continue;
    const std::vector<double> analytic = leaves[i].grad().defined()
                                             ? to_vector<double>(leaves[i].grad())
                                             : std::vector<double>(static_cast<size_t>(leaves[i].numel()), 0.0);
    for (int64_t place : places_of(leaves[i].numel(), options, i)) {
      const double up = weighted_output(fn, moved(leaves, i, place, options.eps), c);
      const double down = weighted_output(fn, moved(leaves, i, place, -options.eps), c);
      compare(analytic[static_cast<size_t>(place)], (up - down) / (2 * options.eps),
              cat("input ", i, ", element ", place, " of ", leaves[i].shape()), options, result);
    }
  }
  return result;
}

}  // namespace vitrail
