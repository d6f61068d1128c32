// Our operations under the names and attributes of the ONNX standard (onnx.ai/onnx/operators), so that any independent test
// vector can be run: by the program `runop`, and by op_vectors_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "tests/runop/attributes.h"

namespace vitrail::onnx {

// One call: inputs by position (undefined where an optional one is left out). The accessors check what they return, with
// Error(kData) that names the input: what comes from a file is checked here before an operator uses it.
struct Call {
  std::vector<Variable> inputs;
  Attributes attributes;
  int64_t num_outputs = 1;
  int64_t opset = 0;  // of the ONNX standard; 0 if the file does not say

  bool has(size_t i) const { return i < inputs.size() && inputs[i].defined(); }
  const Variable& in(size_t i) const;  // it must be given
  const Tensor& tensor(size_t i) const { return in(i).value(); }
  Variable optional(size_t i) const { return has(i) ? inputs[i] : Variable(); }
  // The input, of a rank from low to high.
  const Variable& of_rank(size_t i, int low, int high) const;
  // The one value of an input of floats.
  double number(size_t i) const;
  // The one value of an input of integers, from low to high.
  int64_t integer(size_t i, int64_t low, int64_t high) const;
  // All values of an input of integers with rank 0 or 1, each from low to high.
  std::vector<int64_t> integers(size_t i, int64_t low, int64_t high) const;
  // The same with exactly `count` values.
  std::vector<int64_t> integers(size_t i, size_t count, int64_t low, int64_t high) const;
  // Distinct axes of a tensor of this rank, in [0, rank).
  Axes axes(size_t i, int rank) const;
};

// An operator that we have, asked for something that it does not do (three-dimensional pooling, say).
class Unsupported : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

using Outputs = std::vector<Variable>;
using Function = std::function<Outputs(const Call&)>;

// What an operator accepts; everything else is refused by name before it runs.
struct Operator {
  size_t min_inputs = 1, max_inputs = 1;
  std::vector<std::string> attributes;
  Function run;
  // The oldest opset that gives the same attributes the same meaning. (Older forms with other attributes are refused by name.)
  int64_t since = 1;
};
using Table = std::map<std::string, Operator>;

constexpr size_t kManyInputs = 64;
constexpr int64_t kNewestOpset = 26;

// All operators by name: the ONNX ones (Softmax) and our own (softmax).
const Table& operators();

// Runs the operator, after checking the number of inputs, the names of the attributes and the opset.
// Error(kData) for a call that breaks a rule, Unsupported, and whatever the operation throws.
Outputs apply(const Operator& op, const Call& call);

// The parts of the table, one file each.
void add_elementwise(Table& table);
void add_shape(Table& table);
void add_indexing(Table& table);
void add_reductions(Table& table);
void add_layers(Table& table);
void add_images(Table& table);
void add_attention(Table& table);
void add_losses(Table& table);
void add_own_names(Table& table);

}  // namespace vitrail::onnx
