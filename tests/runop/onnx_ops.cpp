#include "tests/runop/onnx_ops.h"

#include "tensor/tensor.h"

namespace vitrail::onnx {
namespace {

bool is_integer(Dtype dtype) { return dtype == Dtype::i64 || dtype == Dtype::u8; }

}  // namespace

const Variable& Call::in(size_t i) const {
  check(has(i), ErrorKind::kData, "runop", "input ", i, " is missing: ", inputs.size(), " given");
  return inputs[i];
}

const Variable& Call::of_rank(size_t i, int low, int high) const {
  const int rank = in(i).dim();
  check(rank >= low && rank <= high, ErrorKind::kData, "runop", "input ", i, " must have rank ", low,
        low == high ? "" : cat(" to ", high), ": its shape is ", in(i).shape());
  return inputs[i];
}

double Call::number(size_t i) const {
  check(in(i).numel() == 1, ErrorKind::kData, "runop", "input ", i, " must hold one number: its shape is ", in(i).shape());
  return tensor(i).item();
}

int64_t Call::integer(size_t i, int64_t low, int64_t high) const {
  check(in(i).numel() == 1 && is_integer(in(i).dtype()), ErrorKind::kData, "runop", "input ", i,
        " must hold one integer: it is ", name_of(in(i).dtype()), " ", in(i).shape());
  const int64_t value = to_vector<int64_t>(tensor(i))[0];
  check(value >= low && value <= high, ErrorKind::kData, "runop", "input ", i, " must be from ", low, " to ", high, ": it is ",
        value);
  return value;
}

std::vector<int64_t> Call::integers(size_t i, int64_t low, int64_t high) const {
  check(in(i).dim() <= 1 && in(i).numel() <= 4096 && is_integer(in(i).dtype()), ErrorKind::kData, "runop", "input ", i,
        " must be a list of at most 4096 integers: it is ", name_of(in(i).dtype()), " ", in(i).shape());
  std::vector<int64_t> values = to_vector<int64_t>(tensor(i));
  for (int64_t value : values)
    check(value >= low && value <= high, ErrorKind::kData, "runop", "the integers of input ", i, " must be from ", low, " to ",
          high, ": one is ", value);
  return values;
}

std::vector<int64_t> Call::integers(size_t i, size_t count, int64_t low, int64_t high) const {
  check(in(i).numel() == static_cast<int64_t>(count), ErrorKind::kData, "runop", "input ", i, " must hold ", count,
        " integers: its shape is ", in(i).shape());
  return integers(i, low, high);
}

Axes Call::axes(size_t i, int rank) const { return checked_axes(integers(i, -kMaxDims, kMaxDims), rank, cat("input ", i)); }

Outputs apply(const Operator& op, const Call& call) {
  if (call.opset != 0 && call.opset < op.since) throw Unsupported(cat("opset ", call.opset, ": known from ", op.since, " on"));
  if (call.opset > kNewestOpset) throw Unsupported(cat("opset ", call.opset, ": known up to ", kNewestOpset));
  check(call.inputs.size() <= op.max_inputs, ErrorKind::kData, "runop", "input ", call.inputs.size() - 1,
        " is not known: at most ", op.max_inputs, op.max_inputs == 1 ? " input" : " inputs");
  for (size_t i = 0; i < op.min_inputs; ++i) call.in(i);
  call.attributes.allow(op.attributes);
  return op.run(call);
}

const Table& operators() {
  static const Table table = [] {
    Table result;
    add_elementwise(result);
    add_shape(result);
    add_indexing(result);
    add_reductions(result);
    add_layers(result);
    add_images(result);
    add_attention(result);
    add_losses(result);
    add_own_names(result);
    return result;
  }();
  return table;
}

}  // namespace vitrail::onnx
