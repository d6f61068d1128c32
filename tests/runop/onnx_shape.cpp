// ONNX operators that arrange elements.
#include <algorithm>
#include <limits>

#include "base/file.h"
#include "tensor/view.h"
#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {
namespace {

// The axes are input 1, or an attribute of this name (before opset 13); empty if neither is given.
std::vector<int64_t> list_of(const Call& c, const std::string& name, int64_t low, int64_t high) {
  check(!c.attributes.given(name) || !c.has(1), ErrorKind::kData, "runop", name, " is input 1 or an attribute, not both");
  return c.has(1) ? c.integers(1, low, high) : c.attributes.list(name, low, high);
}

// 0 copies the extent of the input, unless allowzero.
Outputs reshaped(const Call& c) {
  std::vector<int64_t> shape = c.integers(1, -1, kMaxExtent);
  if (!c.attributes.flag("allowzero", false)) {
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == 0) shape[i] = c.in(0).size(checked_axis(static_cast<int64_t>(i), c.in(0).dim(), "input 1"));
    }
  }
  return {reshape(c.in(0), Shape(shape))};
}

// [product of the axes before, product of the rest]; axis may be the rank itself.
Outputs flattened(const Call& c) {
  const Shape& shape = c.in(0).shape();
  int64_t axis = c.attributes.integer("axis", -shape.size(), shape.size(), std::min(1, shape.size()));
  if (axis < 0) axis += shape.size();
  Shape lead, rest;
  for (int i = 0; i < shape.size(); ++i) (i < axis ? lead : rest).push_back(shape[i]);
  return {reshape(c.in(0), {checked_numel(lead), checked_numel(rest)})};
}

Outputs transposed(const Call& c) {
  const int rank = c.in(0).dim();
  Axes order = c.attributes.axes("perm", rank);
  if (!c.attributes.given("perm"))
    for (int i = rank - 1; i >= 0; --i) order.push_back(i);
  check(static_cast<int>(order.size()) == rank, ErrorKind::kData, "Transpose", "perm must name each of the ", rank,
        " axes once: it has ", order.size(), " entries");
  return {permute(c.in(0), order)};
}

// Of the named axes, else of all of extent 1.
Outputs squeezed(const Call& c) {
  Variable x = c.in(0);
  Axes axes = checked_axes(list_of(c, "axes", -kMaxDims, kMaxDims), x.dim(), "axes");
  if (!c.has(1) && !c.attributes.given("axes")) {
    for (int i = 0; i < x.dim(); ++i) {
      if (x.size(i) == 1) axes.push_back(i);
    }
  }
  std::sort(axes.rbegin(), axes.rend());
  for (int axis : axes) x = squeeze(x, axis);
  return {x};
}

Outputs unsqueezed(const Call& c) {
  Variable x = c.in(0);
  check(c.has(1) || c.attributes.given("axes"), ErrorKind::kData, "Unsqueeze", "axes are missing: input 1");
  const std::vector<int64_t> places = list_of(c, "axes", -kMaxDims, kMaxDims);
  const size_t rank = static_cast<size_t>(x.dim()) + places.size();
  check(rank <= kMaxDims, ErrorKind::kData, "Unsqueeze", "the result would have ", rank, " axes: at most ", kMaxDims);
  Axes axes = checked_axes(places, static_cast<int>(rank), "axes");
  std::sort(axes.begin(), axes.end());
  for (int axis : axes) x = unsqueeze(x, axis);
  return {x};
}

Outputs sliced(const Call& c) {
  constexpr int64_t kLow = std::numeric_limits<int64_t>::min(), kHigh = std::numeric_limits<int64_t>::max();
  Variable x = c.in(0);
  const std::vector<int64_t> starts = c.integers(1, kLow, kHigh), ends = c.integers(2, starts.size(), kLow, kHigh);
  check(starts.size() <= kMaxDims, ErrorKind::kData, "Slice", starts.size(), " starts: at most ", kMaxDims);
  std::vector<int64_t> first(starts.size());
  for (size_t i = 0; i < first.size(); ++i) first[i] = static_cast<int64_t>(i);
  const Axes axes = c.has(3) ? c.axes(3, x.dim()) : checked_axes(first, x.dim(), "starts");
  const std::vector<int64_t> steps =
      c.has(4) ? c.integers(4, starts.size(), kLow, kHigh) : std::vector<int64_t>(starts.size(), 1);
  check(axes.size() == starts.size() && (starts.empty() || x.dim() > 0), ErrorKind::kData, "Slice", starts.size(),
        " starts for ", axes.size(), " axes of shape ", x.shape());
  for (size_t i = 0; i < starts.size(); ++i) {
    if (steps[i] < 1) throw Unsupported("steps below 1");
    const int64_t extent = x.size(axes[i]);  // beyond the ends means the ends
    x = slice(x, axes[i], std::clamp(starts[i], -extent, extent), std::clamp(ends[i], -extent, extent),
              std::min(steps[i], std::max<int64_t>(extent, 1)));
  }
  return {x};
}

Outputs splitted(const Call& c) {
  const Variable& x = c.of_rank(0, 1, kMaxDims);
  const int axis = c.attributes.axis("axis", 0, x.dim());
  if (c.has(1) || c.attributes.given("split")) return split(x, list_of(c, "split", 0, kMaxExtent), axis);
  const int64_t parts = c.attributes.integer("num_outputs", 1, 4096, std::min<int64_t>(c.num_outputs, 4096));
  const int64_t extent = x.size(axis), each = (extent + parts - 1) / parts;
  std::vector<int64_t> lengths;  // the last parts are the short ones
  for (int64_t i = 0; i < parts; ++i) lengths.push_back(std::clamp<int64_t>(extent - i * each, 0, each));
  return split(x, lengths, axis);
}

// Integers beyond 2^53 are no doubles: the padding is put in afterwards, through a padded mask.
Variable padded_with(const Call& c, const std::vector<int64_t>& before, const std::vector<int64_t>& after) {
  const Variable& x = c.in(0);
  if (is_float(x.dtype()) || !c.has(2)) return pad(x, before, after, PadMode::kConstant, c.has(2) ? c.number(2) : 0);
  check(c.tensor(2).dtype() == x.dtype() && c.tensor(2).numel() == 1, ErrorKind::kData, "Pad",
        "input 2 must be one value of the dtype of input 0");
  const Tensor inside = pad(ones(x.shape(), Dtype::u8), before, after);
  return Variable(where(inside, pad(x.value(), before, after), reshape(c.tensor(2), {})));
}

Outputs padded(const Call& c) {
  const Variable& x = c.in(0);
  Axes axes;
  for (int i = 0; i < x.dim(); ++i) axes.push_back(i);
  if (c.has(3)) axes = c.axes(3, x.dim());
  check(x.dim() > 0 || axes.empty(), ErrorKind::kData, "Pad", "a scalar has no axes to pad");
  const std::vector<int64_t> pads = c.integers(1, 2 * axes.size(), -kMaxExtent, kMaxExtent);
  std::vector<int64_t> before(x.dim(), 0), after(x.dim(), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    before[axes[i]] = pads[i];
    after[axes[i]] = pads[axes.size() + i];
  }
  const std::string mode = c.attributes.text("mode", "constant");
  if (mode == "constant") return {padded_with(c, before, after)};
  if (mode != "edge" && mode != "reflect") throw Unsupported("mode=" + escaped(mode, 60));
  return {pad(x, before, after, mode == "edge" ? PadMode::kEdge : PadMode::kReflect)};
}

// Diagonals beyond the corners select everything or nothing.
Outputs triangle(const Call& c) {
  constexpr int64_t kLow = std::numeric_limits<int64_t>::min(), kHigh = std::numeric_limits<int64_t>::max();
  const Variable& x = c.of_rank(0, 2, kMaxDims);
  const int64_t k = std::clamp(c.has(1) ? c.integer(1, kLow, kHigh) : 0, -x.size(-2), x.size(-1));
  return {c.attributes.flag("upper", true) ? triu(x, k) : tril(x, k)};
}

Outputs cast_to(const Call& c, Dtype dtype) {
  const bool differentiable = is_float(dtype) && is_float(c.in(0).dtype());
  return {differentiable ? to(c.in(0), dtype) : Variable(to(c.tensor(0), dtype))};
}

Outputs cast(const Call& c) {
  c.attributes.flag("saturate", true);  // of 8-bit floats only
  const int64_t type = c.attributes.integer("to", 0, 64, 0);
  switch (type) {  // TensorProto.DataType
    case 1: return cast_to(c, Dtype::f32);
    case 11: return cast_to(c, Dtype::f64);
    case 7: return cast_to(c, Dtype::i64);
    case 2: return cast_to(c, Dtype::u8);
    default: throw Unsupported("to=" + std::to_string(type));
  }
}

Outputs concatenated(const Call& c) {
  for (size_t i = 0; i < c.inputs.size(); ++i) c.in(i);
  return {concat(c.inputs, c.attributes.axis("axis", 0, c.of_rank(0, 1, kMaxDims).dim()))};
}

}  // namespace

void add_shape(Table& t) {
  t["Reshape"] = {2, 2, {"allowzero"}, reshaped};
  t["Flatten"] = {1, 1, {"axis"}, flattened};
  t["Transpose"] = {1, 1, {"perm"}, transposed};
  t["Squeeze"] = {1, 2, {"axes"}, squeezed};
  t["Unsqueeze"] = {1, 2, {"axes"}, unsqueezed};
  t["Slice"] = {3, 5, {}, sliced, 10};
  t["Split"] = {1, 2, {"axis", "num_outputs", "split"}, splitted};
  t["Pad"] = {2, 4, {"mode"}, padded, 11};
  t["Trilu"] = {1, 2, {"upper"}, triangle};
  t["Cast"] = {1, 1, {"to", "saturate"}, cast};
  t["CastLike"] = {2, 2, {}, [](const Call& c) { return cast_to(c, c.tensor(1).dtype()); }};
  t["Identity"] = {1, 1, {}, [](const Call& c) -> Outputs { return {c.in(0)}; }};
  t["Concat"] = {1, kManyInputs, {"axis"}, concatenated, 4};
  t["Tile"] = {2, 2, {}, [](const Call& c) -> Outputs {
                 return {tile(c.in(0), c.integers(1, static_cast<size_t>(c.in(0).dim()), 0, kMaxExtent))};
               }};
  t["Expand"] = {2, 2, {}, [](const Call& c) -> Outputs {
                   const Shape target(c.integers(1, 0, kMaxExtent));
                   return {broadcast_to(c.in(0), broadcast_shapes(c.in(0).shape(), target, "Expand"))};
                 }};
}

}  // namespace vitrail::onnx
