#include "models/weights/export/onnx_graph.h"

#include "base/error.h"
#include "base/json_writer.h"

namespace vitrail::weights {

namespace {

// Field numbers of onnx.proto.
struct ModelField {
  enum : int { kIrVersion = 1, kProducer = 2, kGraph = 7, kOpset = 8, kMetadata = 14 };
};
struct GraphField {
  enum : int { kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12 };
};
struct NodeField {
  enum : int { kInput = 1, kOutput = 2, kName = 3, kType = 4, kAttribute = 5 };
};
struct AttributeField {
  enum : int { kName = 1, kFloat = 2, kInt = 3, kInts = 8, kType = 20 };
};
struct TensorField {
  enum : int { kDims = 1, kDataType = 2, kName = 8, kRawData = 9 };
};
enum AttributeType { kFloatAttribute = 1, kIntAttribute = 2, kIntsAttribute = 7 };
enum DataType { kFloat = 1, kInt64 = 7 };

ProtobufMessage attribute(const std::string& name, const OnnxValue& value) {
  ProtobufMessage m;
  m.text(AttributeField::kName, name);
  if (const auto* whole = std::get_if<int64_t>(&value))
    m.integer(AttributeField::kInt, *whole).integer(AttributeField::kType, kIntAttribute);
  else if (const auto* real = std::get_if<double>(&value))
    m.real(AttributeField::kFloat, static_cast<float>(*real)).integer(AttributeField::kType, kFloatAttribute);
  else
    m.integers(AttributeField::kInts, std::get<std::vector<int64_t>>(value)).integer(AttributeField::kType, kIntsAttribute);
  return m;
}

std::span<const uint8_t> bytes_of(const Tensor& t) {
  const auto size = static_cast<size_t>(t.numel()) * static_cast<size_t>(size_of(t.dtype()));
  const void* data = t.dtype() == Dtype::f32 ? static_cast<const void*>(t.data<float>()) : t.data<int64_t>();
  return {static_cast<const uint8_t*>(data), size};
}

ProtobufMessage initializer(const std::string& name, const Tensor& value) {
  ProtobufMessage m;
  for (const int64_t extent : value.shape()) m.integer(TensorField::kDims, extent);
  m.integer(TensorField::kDataType, value.dtype() == Dtype::f32 ? kFloat : kInt64);
  return m.text(TensorField::kName, name).bytes(TensorField::kRawData, bytes_of(value));
}

// TypeProto.Tensor with a shape; the axis of extent 0 is called "batch".
ProtobufMessage value_info(const std::string& name, const std::vector<int64_t>& extents) {
  ProtobufMessage shape, tensor, type, m;
  for (const int64_t extent : extents) {
    ProtobufMessage dim;
    if (extent == 0)
      dim.text(2, "batch");
    else
      dim.integer(1, extent);
    shape.message(1, std::move(dim));
  }
  tensor.integer(1, kFloat).message(2, std::move(shape));
  type.message(1, std::move(tensor));
  return m.text(1, name).message(2, std::move(type));
}

// The version of the file format that came with an opset (onnx/docs/Versioning.md).
int64_t ir_version(int64_t opset) { return opset >= 21 ? 10 : opset >= 19 ? 9 : 8; }

}  // namespace

std::string OnnxGraph::node(const std::string& path, const std::string& type, const std::vector<std::string>& inputs,
                            const OnnxAttributes& attributes) {
  std::string name = path.empty() ? type : cat(path, "/", type);
  if (const int count = taken_[name]++; count > 0) name += cat("_", count);
  nodes_.push_back({type, name, inputs, attributes});
  return name;
}

std::string OnnxGraph::weight(const std::string& name, const Tensor& value) {
  if (weight_index_.try_emplace(name, weights_.size()).second) weights_.emplace_back(name, contiguous(value));
  return name;
}

std::string OnnxGraph::integers(const std::vector<int64_t>& values) {
  std::string name = "integers";
  for (const int64_t value : values) name += cat("_", value);
  return weight(name, from_vector(values, {static_cast<int64_t>(values.size())}));
}

std::string OnnxGraph::integer(int64_t value) {
  return weight(cat("integer_", value), from_vector(std::vector<int64_t>{value}, {}));
}

std::string OnnxGraph::number(double value) {
  JsonWriter text;
  return weight("number_" + text.value(value).text(), scalar(value));
}

void OnnxGraph::input(const std::string& name, const std::vector<int64_t>& extents) { inputs_.push_back({name, extents}); }

void OnnxGraph::output(const std::string& name, const std::string& value, const std::vector<int64_t>& extents) {
  for (Node& n : nodes_) {
    if (n.output == value) n.output = name;
    for (std::string& in : n.inputs)
      if (in == value) in = name;
  }
  outputs_.push_back({name, extents});
}

ProtobufMessage OnnxGraph::graph() const {
  ProtobufMessage g;
  for (const Node& n : nodes_) {
    ProtobufMessage m;
    for (const std::string& in : n.inputs) m.text(NodeField::kInput, in);
    m.text(NodeField::kOutput, n.output).text(NodeField::kName, n.output).text(NodeField::kType, n.type);
    for (const auto& [name, value] : n.attributes) m.message(NodeField::kAttribute, attribute(name, value));
    g.message(GraphField::kNode, std::move(m));
  }
  g.text(GraphField::kName, "vitrail");
  for (const auto& [name, value] : weights_) g.message(GraphField::kInitializer, initializer(name, value));
  for (const Value& v : inputs_) g.message(GraphField::kInput, value_info(v.name, v.extents));
  for (const Value& v : outputs_) g.message(GraphField::kOutput, value_info(v.name, v.extents));
  return g;
}

ProtobufMessage OnnxGraph::model(int64_t max_bytes) const {
  ProtobufMessage graph_message = graph();
  check(graph_message.size() <= max_bytes, ErrorKind::kValue, "convert", "an ONNX file holds at most 2 GiB: this model needs ",
        graph_message.size(), " bytes. Hint: --to timm or hf writes files of any size.");
  ProtobufMessage m, opset;
  m.integer(ModelField::kIrVersion, ir_version(opset_)).text(ModelField::kProducer, "vitrail");
  m.message(ModelField::kGraph, std::move(graph_message));
  m.message(ModelField::kOpset, std::move(opset.text(1, "").integer(2, opset_)));
  for (const auto& [key, text] : metadata_) {
    ProtobufMessage entry;
    entry.text(1, key).text(2, text);
    m.message(ModelField::kMetadata, std::move(entry));
  }
  return m;
}

}  // namespace vitrail::weights
