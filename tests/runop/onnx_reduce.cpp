// ONNX reductions, argmax, top-k.
#include <limits>

#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {
namespace {

struct ReductionSettings {
  Axes axes;
  bool keepdim = true;
  bool nothing = false;  // an empty list of axes that means "none"
};

ReductionSettings reduction_of(const Call& c) {
  ReductionSettings r;
  std::vector<int64_t> axes = c.attributes.integers("axes", {});
  if (c.has(1)) axes = c.integers(1);
  for (int64_t axis : axes) {
    check(axis >= -kMaxDims && axis < kMaxDims, ErrorKind::kData, "runop", "axis ", axis, " is out of range");
    r.axes.push_back(static_cast<int>(axis));
  }
  r.keepdim = c.attributes.integer("keepdims", 1) != 0;
  r.nothing = axes.empty() && c.attributes.integer("noop_with_empty_axes", 0) != 0;
  return r;
}

using Reduce = Variable (*)(const Variable&, const Axes&, bool);
using Prepare = Variable (*)(const Variable&);

Variable same(const Variable& x) { return x; }

// finish(reduce(prepare(x)))
Operator reduction(Reduce reduce, Prepare prepare = same, Prepare finish = same) {
  return [=](const Call& c) -> Outputs {
    const ReductionSettings r = reduction_of(c);
    if (r.nothing) return {c.in(0)};
    return {finish(reduce(prepare(c.in(0)), r.axes, r.keepdim))};
  };
}

// Over nothing, ONNX wants the neutral element where we have none to give.
Operator extremum(Reduce reduce, double neutral) {
  return [=](const Call& c) -> Outputs {
    const ReductionSettings r = reduction_of(c);
    if (r.nothing) return {c.in(0)};
    const Shape shape = reduced_shape(c.in(0).shape(), normalize_axes(r.axes, c.in(0).dim(), "runop"), r.keepdim);
    if (c.in(0).numel() == 0) return {Variable(full(shape, neutral, c.in(0).dtype()))};
    return {reduce(c.in(0), r.axes, r.keepdim)};
  };
}

Operator arg_extremum(Tensor (*fn)(const Tensor&, int, bool, bool)) {
  return [fn](const Call& c) -> Outputs {
    const int64_t axis = c.attributes.integer("axis", 0);
    check(axis >= -kMaxDims && axis < kMaxDims, ErrorKind::kData, "runop", "axis ", axis, " is out of range");
    return {Variable(fn(c.tensor(0), static_cast<int>(axis), c.attributes.integer("keepdims", 1) != 0,
                        c.attributes.integer("select_last_index", 0) != 0))};
  };
}

Outputs top_k(const Call& c) {
  const int axis = static_cast<int>(c.attributes.integer("axis", -1));
  TopkResult best = topk(c.in(0), static_cast<int64_t>(c.tensor(1).item()), axis, c.attributes.integer("largest", 1) != 0);
  return {best.values, Variable(best.indices)};
}

}  // namespace

void add_reductions(Table& t) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  t["ReduceSum"] = reduction(sum);
  t["ReduceMean"] = reduction(mean);
  t["ReduceProd"] = reduction(prod);
  t["ReduceMax"] = extremum(max, -kInfinity);
  t["ReduceMin"] = extremum(min, kInfinity);
  t["ReduceLogSumExp"] = reduction(logsumexp);
  t["ReduceLogSum"] = reduction(sum, same, log);
  t["ReduceL1"] = reduction(sum, abs);
  t["ReduceL2"] = reduction(sum, square, sqrt);
  t["ReduceSumSquare"] = reduction(sum, square);
  t["ArgMax"] = arg_extremum(argmax);
  t["ArgMin"] = arg_extremum(argmin);
  t["TopK"] = top_k;
  t["CumSum"] = [](const Call& c) -> Outputs {
    if (c.attributes.integer("exclusive", 0) || c.attributes.integer("reverse", 0)) throw Unsupported("exclusive, reverse");
    return {cumsum(c.in(0), static_cast<int>(c.tensor(1).item()))};
  };
}

}  // namespace vitrail::onnx
