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

// The axes are input 1, or an attribute (opset 1 to 17).
ReductionSettings reduction_of(const Call& c) {
  ReductionSettings r;
  const int rank = c.in(0).dim();
  r.axes = c.attributes.axes("axes", rank);
  if (c.has(1)) {
    check(!c.attributes.given("axes"), ErrorKind::kData, "runop", "axes are input 1 or an attribute, not both");
    r.axes = c.axes(1, rank);
  }
  r.keepdim = c.attributes.flag("keepdims", true);
  r.nothing = c.attributes.flag("noop_with_empty_axes", false) && r.axes.empty();
  return r;
}

using Reduce = Variable (*)(const Variable&, const Axes&, bool);
using Prepare = Variable (*)(const Variable&);

Variable same(const Variable& x) { return x; }

Operator reduction_over_axes(Function run) { return {1, 2, {"axes", "keepdims", "noop_with_empty_axes"}, std::move(run)}; }

// finish(reduce(prepare(x))); a reduction over no axis leaves the two others.
Operator reduction(Reduce reduce, Prepare prepare = same, Prepare finish = same) {
  return reduction_over_axes([=](const Call& c) -> Outputs {
    const ReductionSettings r = reduction_of(c);
    const Variable x = prepare(c.in(0));
    return {finish(r.nothing ? x : reduce(x, r.axes, r.keepdim))};
  });
}

// Over nothing, ONNX wants the neutral element where we have none to give.
Operator extremum(Reduce reduce, double neutral) {
  return reduction_over_axes([=](const Call& c) -> Outputs {
    const ReductionSettings r = reduction_of(c);
    if (r.nothing) return {c.in(0)};
    const Shape shape = reduced_shape(c.in(0).shape(), normalize_axes(r.axes, c.in(0).dim(), "runop"), r.keepdim);
    if (c.in(0).numel() == 0 && checked_numel(shape) > 0) return {Variable(full(shape, neutral, c.in(0).dtype()))};
    return {reduce(c.in(0), r.axes, r.keepdim)};
  });
}

Operator arg_extremum(Tensor (*fn)(const Tensor&, int, bool, bool)) {
  return {1, 1, {"axis", "keepdims", "select_last_index"}, [fn](const Call& c) -> Outputs {
            return {Variable(fn(c.tensor(0), c.attributes.axis("axis", 0, c.in(0).dim()), c.attributes.flag("keepdims", true),
                                c.attributes.flag("select_last_index", false)))};
          }};
}

Outputs top_k(const Call& c) {
  const int axis = c.attributes.axis("axis", -1, c.of_rank(0, 1, kMaxDims).dim());
  c.attributes.flag("sorted", true);  // sorted either way
  TopkResult best = topk(c.in(0), c.integer(1, 0, c.in(0).size(axis)), axis, c.attributes.flag("largest", true));
  return {best.values, Variable(best.indices)};
}

Outputs cumulative_sum(const Call& c) {
  if (c.attributes.flag("exclusive", false) || c.attributes.flag("reverse", false)) throw Unsupported("exclusive, reverse");
  const int rank = c.of_rank(0, 1, kMaxDims).dim();
  return {cumsum(c.in(0), checked_axis(c.integer(1, -rank, rank - 1), rank, "input 1"))};
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
  t["TopK"] = {2, 2, {"axis", "largest", "sorted"}, top_k, 10};
  t["CumSum"] = {2, 2, {"exclusive", "reverse"}, cumulative_sum, 11};
}

}  // namespace vitrail::onnx
