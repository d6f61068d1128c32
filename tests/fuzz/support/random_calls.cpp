#include "tests/fuzz/support/random_calls.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/runop/run_op.h"
#include "tests/runop/sample_calls.h"

namespace vitrail::fuzz {
namespace {

using onnx::SampleCall;

constexpr int64_t kSpecialIntegers[] = {0,
                                        1,
                                        -1,
                                        2,
                                        3,
                                        5,
                                        -2,
                                        7,
                                        8,
                                        64,
                                        -9,
                                        int64_t{1} << 31,
                                        int64_t{1} << 32,
                                        int64_t{1} << 33,
                                        (int64_t{1} << 53) + 1,
                                        std::numeric_limits<int64_t>::max(),
                                        std::numeric_limits<int64_t>::min(),
                                        400000000};
constexpr double kSpecialNumbers[] = {0,
                                      -0.0,
                                      1,
                                      -1,
                                      0.5,
                                      -0.5,
                                      2,
                                      1e-45,
                                      1e-30,
                                      1e30,
                                      -1e30,
                                      3e38,
                                      std::numeric_limits<double>::infinity(),
                                      -std::numeric_limits<double>::infinity(),
                                      std::numeric_limits<double>::quiet_NaN(),
                                      88.8,
                                      -104,
                                      40000};
constexpr Dtype kDtypes[] = {Dtype::f32, Dtype::f64, Dtype::i64, Dtype::u8};
constexpr int64_t kMaxElements = 4096;

// A huge extent only beside one of 0, since a file must hold its elements.
Shape random_shape(Draw& draw) {
  Shape shape;
  for (int64_t i = draw.below(6); i > 0; --i) shape.push_back(draw.one_in(6) ? 0 : draw.one_in(3) ? 1 : draw.below(7));
  if (shape.size() > 1 && draw.one_in(8)) {
    shape[0] = 0;
    shape[1] = int64_t{1} << (31 + draw.below(4));
    if (draw.one_in(2)) std::swap(shape[0], shape[1]);
  }
  return shape;
}

Tensor random_tensor(Draw& draw, const Shape& shape, Dtype dtype);

// The same two axes of all inputs of one rank become 0 and huge: rows without elements, and no rows of many.
void make_huge_and_empty(Draw& draw, SampleCall& call) {
  const int64_t none = draw.below(5), huge = draw.below(5), extent = int64_t{1} << (31 + draw.below(6));
  const int rank = call.inputs.empty() ? 0 : draw.pick(call.inputs).dim();
  for (Tensor& x : call.inputs) {
    Shape shape = x.shape();
    if (shape.size() != rank || rank < 2 || none % rank == huge % rank) continue;
    shape[static_cast<int>(none % rank)] = 0;
    shape[static_cast<int>(huge % rank)] = extent;
    x = random_tensor(draw, shape, x.dtype());
  }
}

Tensor random_tensor(Draw& draw, const Shape& shape, Dtype dtype) {
  const int64_t n = checked_numel(shape);
  if (is_float(dtype)) {
    std::vector<double> values(static_cast<size_t>(n));
    const bool special = draw.one_in(4);
    for (double& x : values)
      x = special && draw.one_in(3) ? draw.pick(kSpecialNumbers) : static_cast<double>(draw.below(2001) - 1000) / 250;
    return to(from_vector(values, shape), dtype);
  }
  std::vector<int64_t> values(static_cast<size_t>(n));
  const bool special = draw.one_in(4);
  for (int64_t& x : values) x = special ? draw.pick(kSpecialIntegers) : draw.below(5) - 1;
  return to(from_vector(values, shape), dtype);
}

Tensor random_input(Draw& draw) {
  const Shape shape = random_shape(draw);
  return random_tensor(draw, checked_numel(shape) <= kMaxElements ? shape : Shape{2, 3}, draw.pick(kDtypes));
}

// The same rank with one extent changed, or an axis more or less.
Tensor reshaped_input(Draw& draw, const Tensor& x) {
  Shape shape = x.shape();
  const int64_t kind = draw.below(6);
  if (shape.size() > 0 && kind < 3)
    shape[static_cast<int>(draw.below(shape.size()))] = draw.below(4);
  else if (shape.size() > 0 && kind == 3)
    shape.erase(static_cast<int>(draw.below(shape.size())));
  else if (shape.size() < 7)
    shape.insert(static_cast<int>(draw.below(shape.size() + 1)), draw.below(3));
  if (checked_numel(shape) > kMaxElements) return x;
  return random_tensor(draw, shape, x.dtype());
}

std::string random_json(Draw& draw, int depth = 0) {
  static const char* const kWords[] = {"\"\"",       "\"edge\"",  "\"reflect\"",
                                       "\"linear\"", "\"cubic\"", "\"tanh\"",
                                       "\"none\"",   "\"VALID\"", "\"align_corners\"",
                                       "\"mean\"",   "true",      "false",
                                       "null",       "{}",        "0.5",
                                       "1e-3",       "1e300",     "-0.0",
                                       "1e-320",     "2.0",       "18446744073709551615"};
  const int64_t kind = draw.below(depth == 0 ? 8 : 6);
  if (kind < 3) return std::to_string(draw.below(6) - 1);
  if (kind < 4) return std::to_string(draw.pick(kSpecialIntegers));
  if (kind < 6) return draw.pick(kWords);
  std::string text;
  for (int64_t i = draw.below(6); i > 0; --i) text += (text.empty() ? "" : ", ") + random_json(draw, depth + 1);
  return "[" + text + "]";
}

void break_one_rule(Draw& draw, const onnx::Operator& op, SampleCall& call) {
  const int64_t kind = draw.below(10);
  if (kind == 0 && draw.one_in(3)) {
    call.inputs.push_back(random_input(draw));
  } else if (kind == 1 && draw.one_in(3) && !call.inputs.empty()) {
    call.inputs.pop_back();
  } else if (kind < 7 && !call.inputs.empty()) {
    Tensor& x = draw.pick(call.inputs);
    const int64_t how = draw.below(5);
    x = how == 0   ? random_input(draw)
        : how < 3  ? reshaped_input(draw, x)
        : how == 3 ? random_tensor(draw, x.shape(), x.dtype())
                   : to(x, draw.pick(kDtypes));
  } else if (draw.one_in(12)) {
    call.attributes["unheard_of"] = random_json(draw);
  } else if (!op.attributes.empty()) {
    const std::string& name = draw.pick(op.attributes);
    if (draw.one_in(4))
      call.attributes.erase(name);
    else
      call.attributes[name] = random_json(draw);
  }
}

// All floating inputs at once: most operators want one dtype.
void cast_floats(SampleCall& call, Dtype dtype) {
  for (Tensor& x : call.inputs)
    if (is_float(x.dtype())) x = to(x, dtype);
}

}  // namespace

uint64_t Draw::next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::string RandomCall::text() const {
  std::string result = op;
  for (const auto& [name, x] : file.tensors) result += cat(" ", name, "=", name_of(x.dtype()), x.shape());
  for (const auto& [name, value] : file.metadata) result += cat(" ", name, "=", value);
  return result;
}

RandomCall random_call(uint64_t seed, uint64_t number) {
  Draw draw(seed, number);
  const auto& samples = onnx::sample_calls();
  const auto chosen = std::next(samples.begin(), draw.below(static_cast<int64_t>(samples.size())));
  SampleCall call = chosen->second;
  const onnx::Operator& op = onnx::operators().at(chosen->first);
  if (draw.one_in(12)) {
    make_huge_and_empty(draw, call);
  } else if (draw.one_in(8)) {
    for (Tensor& x : call.inputs) x = random_input(draw);
  } else if (draw.one_in(6)) {  // one random shape for all: what works element by element stays valid
    const Shape shape = random_shape(draw);
    for (Tensor& x : call.inputs)
      if (is_float(x.dtype()) && checked_numel(shape) <= kMaxElements) x = random_tensor(draw, shape, x.dtype());
  }
  for (int64_t i = draw.below(4); i > 0; --i) break_one_rule(draw, op, call);
  if (draw.one_in(3)) cast_floats(call, draw.one_in(2) ? Dtype::f64 : Dtype::f32);
  RandomCall result{chosen->first, {}};
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    if (!draw.one_in(40)) result.file.tensors.emplace_back(cat("input.", i), call.inputs[i]);
  }
  result.file.metadata.emplace_back("attrs", call.attribute_text());
  if (draw.one_in(30)) result.file.metadata.emplace_back("opset", cat("{\"ai.onnx\": ", draw.below(40), "}"));
  return result;
}

std::string run(RandomCall& call, bool backward) {
  try {
    const SafetensorsFile result = onnx::run_op(call.op, call.file, "call");
    if (!backward || result.tensors.empty()) return "";
    const Tensor& y = result.tensors.front().second;
    if (result.tensors.front().first != "output.0" || !is_float(y.dtype())) return "";
    call.file.tensors.emplace_back("grad_output.0", ones(y.shape(), y.dtype()));
    onnx::run_op(call.op, call.file, "call");
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

}  // namespace vitrail::fuzz
