// ONNX operators that pick elements by index.
#include "tensor/view.h"
#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {
namespace {

// Input 1 as integers, each checked to lie in [-extent, extent), in [0, extent).
Tensor wrapped(const Tensor& index, int64_t extent) {
  const Tensor values = to(index, Dtype::i64);
  for (int64_t k : to_vector<int64_t>(values))
    check(k >= -extent && k < extent, ErrorKind::kData, "runop", "index ", k, " is outside [", -extent, ", ", extent, ")");
  return where(less(values, zeros_like(values)), add(values, static_cast<double>(extent)), values);
}

// result[i...] = x[index[i..., 0], ..., index[i..., depth - 1], ...]
Outputs gathered_nd(const Call& c) {
  if (c.attributes.integer("batch_dims", 0, kMaxDims, 0) != 0) throw Unsupported("batch_dims");
  check(c.tensor(1).dtype() == Dtype::i64, ErrorKind::kData, "GatherND", "input 1 must be i64");
  const Tensor index = contiguous(c.of_rank(1, 1, kMaxDims).value());
  const int64_t depth = index.size(-1);
  const Shape& shape = c.in(0).shape();
  check(depth >= 1 && depth <= shape.size(), ErrorKind::kData, "GatherND", "index depth ", depth, " for shape ", shape);
  Shape lead, flat_shape, result_shape = index.shape();
  result_shape.erase(result_shape.size() - 1);
  for (int i = 0; i < depth; ++i) lead.push_back(shape[i]);
  flat_shape.push_back(checked_numel(lead, "GatherND"));
  for (int i = static_cast<int>(depth); i < shape.size(); ++i) flat_shape.push_back(shape[i]), result_shape.push_back(shape[i]);
  Tensor place = zeros({index.numel() / depth}, Dtype::i64);
  const Tensor rows = reshape(index, {index.numel() / depth, depth});
  for (int i = 0; i < depth; ++i) place = add(mul(place, static_cast<double>(shape[i])), wrapped(select(rows, 1, i), shape[i]));
  return {reshape(index_select(reshape(c.in(0), flat_shape), 0, place), result_shape)};
}

// A whole number; ONNX also takes a float.
int64_t depth_of(const Call& c) {
  if (!is_float(c.in(1).dtype())) return c.integer(1, 1, kMaxExtent);
  const double depth = c.number(1);
  check(depth >= 1 && depth <= 0x1p40 && depth == static_cast<double>(static_cast<int64_t>(depth)), ErrorKind::kData, "OneHot",
        "input 1 must be a whole number from 1 on: it is ", depth);
  return static_cast<int64_t>(depth);
}

// input 2 = {off, on}; indices outside [-depth, depth) give a row of off.
Outputs one_hot_encoded(const Call& c) {
  const int64_t depth = depth_of(c);
  check(c.of_rank(2, 1, 1).numel() == 2, ErrorKind::kData, "OneHot", "input 2 must be {off, on}: shape is ", c.in(2).shape());
  const Tensor index = to(c.of_rank(0, 0, kMaxDims - 1).value(), Dtype::i64);
  const int axis = c.attributes.axis("axis", -1, index.dim() + 1);
  const Tensor places = where(less(index, zeros_like(index)), add(index, static_cast<double>(depth)), index);
  Shape classes_shape;
  for (int i = 0; i < index.dim() + 1; ++i) classes_shape.push_back(i == axis ? depth : 1);
  const Tensor classes = reshape(arange(0, static_cast<double>(depth), 1, Dtype::i64), classes_shape);
  const Tensor hit = equal(unsqueeze(places, axis), classes);
  return {Variable(where(hit, select(c.tensor(2), 0, 1), select(c.tensor(2), 0, 0)))};
}

}  // namespace

void add_indexing(Table& t) {
  const auto axis = [](const Call& c) { return c.attributes.axis("axis", 0, c.of_rank(0, 1, kMaxDims).dim()); };
  t["Gather"] = {2, 2, {"axis"}, [=](const Call& c) -> Outputs { return {index_select(c.in(0), axis(c), c.tensor(1))}; }};
  t["GatherElements"] = {2, 2, {"axis"}, [=](const Call& c) -> Outputs { return {gather(c.in(0), axis(c), c.tensor(1))}; }};
  t["GatherND"] = {2, 2, {"batch_dims"}, gathered_nd};
  t["OneHot"] = {3, 3, {"axis"}, one_hot_encoded};
}

}  // namespace vitrail::onnx
