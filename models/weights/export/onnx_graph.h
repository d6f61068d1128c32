// An ONNX model under construction (github.com/onnx/onnx, onnx/onnx.proto): nodes, weights, constants, inputs and outputs.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "models/weights/export/protobuf_writer.h"
#include "tensor/tensor.h"

namespace vitrail::weights {

constexpr int64_t kOldestOpset = 17, kNewestOpset = 21;
// What a protocol buffer can hold, less a mebibyte for everything but the weights.
constexpr int64_t kMaxOnnxBytes = (int64_t{1} << 31) - (int64_t{1} << 20);

using OnnxValue = std::variant<int64_t, double, std::vector<int64_t>>;
using OnnxAttributes = std::vector<std::pair<std::string, OnnxValue>>;

class OnnxGraph {
 public:
  explicit OnnxGraph(int64_t opset) : opset_(opset) {}

  int64_t opset() const { return opset_; }

  // Adds a node with one output; returns the output's name, PATH/TYPE with a number where that is taken.
  std::string node(const std::string& path, const std::string& type, const std::vector<std::string>& inputs,
                   const OnnxAttributes& attributes = {});
  // An initializer, f32, under its name. A name that is there already is the same weight.
  std::string weight(const std::string& name, const Tensor& value);
  // Constants: equal ones are stored once.
  std::string integers(const std::vector<int64_t>& values);  // i64 [n]
  std::string integer(int64_t value);                        // i64, rank 0
  std::string number(double value);                          // f32, rank 0

  // Extent 0 stands for the batch.
  void input(const std::string& name, const std::vector<int64_t>& extents);
  // Gives `value` the name `name`.
  void output(const std::string& name, const std::string& value, const std::vector<int64_t>& extents);
  void metadata(const std::string& key, const std::string& text) { metadata_.emplace_back(key, text); }

  // The whole ModelProto; it borrows the weights of this graph, which must outlive it. Error(kValue) if its nodes and weights
  // take more than max_bytes.
  ProtobufMessage model(int64_t max_bytes = kMaxOnnxBytes) const;

 private:
  struct Node {
    std::string type, output;
    std::vector<std::string> inputs;
    OnnxAttributes attributes;
  };
  struct Value {
    std::string name;
    std::vector<int64_t> extents;
  };
  ProtobufMessage graph() const;

  int64_t opset_;
  std::vector<Node> nodes_;
  std::map<std::string, int> taken_;
  std::vector<std::pair<std::string, Tensor>> weights_;
  std::map<std::string, size_t> weight_index_;
  std::vector<Value> inputs_, outputs_;
  std::vector<std::pair<std::string, std::string>> metadata_;
};

}  // namespace vitrail::weights
