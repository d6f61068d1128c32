// Our operations under the names and attributes of the ONNX standard (onnx.ai/onnx/operators), so that any independent
// test vector can be run: `vitrail runop Softmax in.safetensors out.safetensors`, and tests/models/op_vectors_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "autograd/ops.h"

namespace vitrail::onnx {

// The attributes of one node, read from a JSON object. Wrong types throw Error(kData) naming the attribute.
class Attributes {
 public:
  Attributes() = default;
  // `text` is a JSON object of numbers, strings and arrays of integers. Error(kData) naming source otherwise.
  static Attributes parse(const std::string& text, const std::string& source);

  bool has(const std::string& name) const;
  int64_t integer(const std::string& name, int64_t otherwise) const;
  double number(const std::string& name, double otherwise) const;
  std::string text(const std::string& name, const std::string& otherwise) const;
  std::vector<int64_t> integers(const std::string& name, const std::vector<int64_t>& otherwise) const;

 private:
  std::map<std::string, double> numbers_;
  std::map<std::string, std::string> texts_;
  std::map<std::string, std::vector<double>> lists_;
};

// One call: inputs by position (undefined where an optional one is left out).
struct Call {
  std::vector<Variable> inputs;
  Attributes attributes;
  int64_t num_outputs = 1;

  bool has(size_t i) const { return i < inputs.size() && inputs[i].defined(); }
  // Error(kData) if it is missing.
  const Variable& in(size_t i) const;
  const Tensor& tensor(size_t i) const { return in(i).value(); }
  Variable optional(size_t i) const { return has(i) ? inputs[i] : Variable(); }
  std::vector<int64_t> integers(size_t i) const;
};

// An operator that we have, asked for something that it does not do (three-dimensional pooling, say).
class Unsupported : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

using Outputs = std::vector<Variable>;
using Operator = std::function<Outputs(const Call&)>;
using Table = std::map<std::string, Operator>;

// All operators by name: the ONNX ones (Softmax) and our own (softmax).
const Table& operators();

// The parts of the table, one file each.
void add_elementwise(Table& table);
void add_shape(Table& table);
void add_reductions(Table& table);
void add_layers(Table& table);
void add_attention(Table& table);
void add_losses(Table& table);
void add_own_names(Table& table);

}  // namespace vitrail::onnx
