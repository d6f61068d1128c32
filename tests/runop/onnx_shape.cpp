// ONNX operators that arrange and pick elements.
#include <algorithm>
#include <limits>

#include "tensor/view.h"
#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {
namespace {

std::vector<int> to_axes(const std::vector<int64_t>& values, int rank) {
  std::vector<int> axes;
  for (int64_t value : values) {
    check(value >= -kMaxDims && value <= kMaxDims, ErrorKind::kData, "runop", "axis ", value, " is out of range");
    axes.push_back(normalize_axis(static_cast<int>(value), rank, "runop"));
  }
  return axes;
}

int axis_of(const Call& c, int64_t otherwise) {
  const int64_t axis = c.attributes.integer("axis", otherwise);
  check(axis >= -kMaxDims && axis <= kMaxDims, ErrorKind::kData, "runop", "axis ", axis, " is out of range");
  return static_cast<int>(axis);
}

// 0 copies the extent of the input, unless allowzero.
Outputs reshaped(const Call& c) {
  std::vector<int64_t> shape = c.integers(1);
  if (!c.attributes.integer("allowzero", 0)) {
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == 0) shape[i] = c.in(0).size(static_cast<int>(i));
    }
  }
  return {reshape(c.in(0), Shape(shape))};
}

Outputs flattened(const Call& c) {
  const Shape& shape = c.in(0).shape();
  int axis = axis_of(c, 1);
  if (axis < 0) axis += shape.size();
  Shape lead, rest;
  for (int i = 0; i < shape.size(); ++i) (i < axis ? lead : rest).push_back(shape[i]);
  return {reshape(c.in(0), {checked_numel(lead), checked_numel(rest)})};
}

Outputs transposed(const Call& c) {
  std::vector<int64_t> order;
  for (int i = c.in(0).dim() - 1; i >= 0; --i) order.push_back(i);
  return {permute(c.in(0), to_axes(c.attributes.integers("perm", order), c.in(0).dim()))};
}

Outputs squeezed(const Call& c) {
  Variable x = c.in(0);
  std::vector<int> axes;
  if (c.has(1)) {
    axes = to_axes(c.integers(1), x.dim());
  } else {
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
  std::vector<int> axes = to_axes(c.integers(1), x.dim() + static_cast<int>(c.integers(1).size()));
  std::sort(axes.begin(), axes.end());
  for (int axis : axes) x = unsqueeze(x, axis);
  return {x};
}

Outputs sliced(const Call& c) {
  Variable x = c.in(0);
  const std::vector<int64_t> starts = c.integers(1), ends = c.integers(2);
  std::vector<int64_t> axes;
  for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  if (c.has(3)) axes = c.integers(3);
  const std::vector<int64_t> steps = c.has(4) ? c.integers(4) : std::vector<int64_t>(starts.size(), 1);
  check(ends.size() == starts.size() && axes.size() == starts.size() && steps.size() == starts.size(), ErrorKind::kData,
        "Slice", "starts, ends, axes and steps must have one length");
  for (size_t i = 0; i < starts.size(); ++i) {
    if (steps[i] < 1) throw Unsupported("steps below 1");
    x = slice(x, to_axes({axes[i]}, x.dim())[0], starts[i], ends[i], steps[i]);
  }
  return {x};
}

Outputs splitted(const Call& c) {
  const Variable& x = c.in(0);
  const int axis = normalize_axis(axis_of(c, 0), x.dim(), "Split");
  if (c.has(1)) return split(x, c.integers(1), axis);
  const int64_t parts = c.attributes.integer("num_outputs", c.num_outputs), extent = x.size(axis);
  check(parts >= 1 && parts <= 4096, ErrorKind::kData, "Split", "num_outputs is ", parts);
  const int64_t each = (extent + parts - 1) / parts;  // the last part is the short one
  std::vector<int64_t> lengths(parts, each);
  lengths.back() = extent - each * (parts - 1);
  return split(x, lengths, axis);
}

Outputs gathered_nd(const Call& c) {
  if (c.attributes.integer("batch_dims", 0) != 0) throw Unsupported("batch_dims");
  const Tensor index = contiguous(c.tensor(1));
  const int64_t depth = index.size(-1);
  const Shape& shape = c.in(0).shape();
  check(depth >= 1 && depth <= shape.size(), ErrorKind::kData, "GatherND", "index depth ", depth, " for shape ", shape);
  Shape flat_shape, result_shape = index.shape();
  int64_t lead = 1;
  result_shape.erase(result_shape.size() - 1);
  for (int i = 0; i < depth; ++i) lead *= shape[i];
  flat_shape.push_back(lead);
  for (int i = static_cast<int>(depth); i < shape.size(); ++i) flat_shape.push_back(shape[i]), result_shape.push_back(shape[i]);
  Tensor place = zeros({index.numel() / depth}, Dtype::i64);
  const Tensor rows = reshape(index, {index.numel() / depth, depth});
  for (int i = 0; i < depth; ++i) {
    const Tensor k = select(rows, 1, i);
    place =
        add(mul(place, static_cast<double>(shape[i])), where(less(k, zeros_like(k)), add(k, static_cast<double>(shape[i])), k));
  }
  return {reshape(index_select(reshape(c.in(0), flat_shape), 0, place), result_shape)};
}

Outputs padded(const Call& c) {
  const Variable& x = c.in(0);
  const std::vector<int64_t> pads = c.integers(1);
  std::vector<int64_t> axes(pads.size() / 2);
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  if (c.has(3)) axes = c.integers(3);
  check(pads.size() == 2 * axes.size(), ErrorKind::kData, "Pad", "two pads per axis: ", pads.size(), " pads, ", axes.size(),
        " axes");
  std::vector<int64_t> before(x.dim(), 0), after(x.dim(), 0);
  const std::vector<int> where_to = to_axes(axes, x.dim());
  for (size_t i = 0; i < where_to.size(); ++i) {
    before[where_to[i]] = pads[i];
    after[where_to[i]] = pads[axes.size() + i];
  }
  const std::string mode = c.attributes.text("mode", "constant");
  const PadMode kind = mode == "edge" ? PadMode::kEdge : mode == "reflect" ? PadMode::kReflect : PadMode::kConstant;
  if (kind == PadMode::kConstant && mode != "constant") throw Unsupported("mode=" + mode);
  return {pad(x, before, after, kind, c.has(2) ? c.tensor(2).item() : 0)};
}

Outputs triangle(const Call& c) {
  const int64_t k = c.has(1) ? static_cast<int64_t>(c.tensor(1).item()) : 0;
  return {c.attributes.integer("upper", 1) ? triu(c.in(0), k) : tril(c.in(0), k)};
}

// values = {off, on}; indices outside [-depth, depth) give a row of off.
Outputs one_hot_encoded(const Call& c) {
  const int64_t depth = static_cast<int64_t>(c.tensor(1).item());
  const Tensor index = to(c.tensor(0), Dtype::i64), values = to(c.tensor(2), Dtype::f64);
  const int axis = normalize_axis(axis_of(c, -1), index.dim() + 1, "OneHot");
  const Tensor wrapped = where(less(index, zeros_like(index)), add(index, static_cast<double>(depth)), index);
  Shape classes_shape;
  for (int i = 0; i < index.dim() + 1; ++i) classes_shape.push_back(i == axis ? depth : 1);
  const Tensor hit =
      equal(unsqueeze(wrapped, axis), reshape(arange(0, static_cast<double>(depth), 1, Dtype::i64), classes_shape));
  const Tensor result =
      where(hit, full(hit.shape(), values.at({1}), Dtype::f64), full(hit.shape(), values.at({0}), Dtype::f64));
  return {Variable(to(result, c.tensor(2).dtype()))};
}

Outputs cast_to(const Call& c, Dtype dtype) {
  const bool differentiable = is_float(dtype) && is_float(c.in(0).dtype());
  return {differentiable ? to(c.in(0), dtype) : Variable(to(c.tensor(0), dtype))};
}

Outputs cast(const Call& c) {
  switch (c.attributes.integer("to", 1)) {  // TensorProto.DataType
    case 1: return cast_to(c, Dtype::f32);
    case 11: return cast_to(c, Dtype::f64);
    case 7: return cast_to(c, Dtype::i64);
    case 2: return cast_to(c, Dtype::u8);
    default: throw Unsupported("to=" + std::to_string(c.attributes.integer("to", 1)));
  }
}

}  // namespace

void add_shape(Table& t) {
  t["Reshape"] = reshaped;
  t["Flatten"] = flattened;
  t["Transpose"] = transposed;
  t["Squeeze"] = squeezed;
  t["Unsqueeze"] = unsqueezed;
  t["Slice"] = sliced;
  t["Split"] = splitted;
  t["Pad"] = padded;
  t["Trilu"] = triangle;
  t["OneHot"] = one_hot_encoded;
  t["Cast"] = cast;
  t["CastLike"] = [](const Call& c) { return cast_to(c, c.tensor(1).dtype()); };
  t["Identity"] = [](const Call& c) -> Outputs { return {c.in(0)}; };
  t["Concat"] = [](const Call& c) -> Outputs { return {concat(c.inputs, axis_of(c, 0))}; };
  t["Tile"] = [](const Call& c) -> Outputs { return {tile(c.in(0), c.integers(1))}; };
  t["Expand"] = [](const Call& c) -> Outputs {
    return {broadcast_to(c.in(0), broadcast_shapes(c.in(0).shape(), Shape(c.integers(1)), "Expand"))};
  };
  t["Gather"] = [](const Call& c) -> Outputs { return {index_select(c.in(0), axis_of(c, 0), c.tensor(1))}; };
  t["GatherElements"] = [](const Call& c) -> Outputs { return {gather(c.in(0), axis_of(c, 0), c.tensor(1))}; };
  t["GatherND"] = gathered_nd;
}

}  // namespace vitrail::onnx
