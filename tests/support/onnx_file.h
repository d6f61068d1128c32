// ONNX files, the reading half, as far as convert writes them: an independent look at their bytes.
#pragma once

#include <bit>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tensor/tensor.h"

namespace vitrail::testing {

// The fields of one protocol buffer message: number, and a whole number or bytes.
struct ProtobufField {
  int number = 0, wire = 0;
  uint64_t value = 0;
  std::string_view bytes;
};

inline std::vector<ProtobufField> protobuf_fields(std::string_view data) {
  size_t at = 0;
  const auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      check(at < data.size(), ErrorKind::kData, "test", "a varint is cut off");
      const auto byte = static_cast<uint8_t>(data[at++]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  std::vector<ProtobufField> fields;
  while (at < data.size()) {
    const uint64_t key = varint();
    ProtobufField f{static_cast<int>(key >> 3), static_cast<int>(key & 7), 0, {}};
    if (f.wire == 0) {
      f.value = varint();
    } else {
      const uint64_t size = f.wire == 2 ? varint() : f.wire == 5 ? 4 : 8;
      check(size <= data.size() - at, ErrorKind::kData, "test", "a field is cut off");
      f.bytes = data.substr(at, size);
      at += size;
    }
    fields.push_back(f);
  }
  return fields;
}

struct OnnxNode {
  std::string type, name;
  std::vector<std::string> inputs, outputs;
  std::string attributes;  // a JSON object
};

struct OnnxFile {
  int64_t ir_version = 0, opset = 0;
  std::string producer;
  std::vector<OnnxNode> nodes;
  std::map<std::string, Tensor> weights;
  std::map<std::string, std::vector<int64_t>> inputs, outputs;  // extents, -1 for a named one
  std::map<std::string, std::string> metadata;
};

inline std::string onnx_attribute(std::string_view data) {
  std::string name, list;
  std::string value;
  for (const ProtobufField& f : protobuf_fields(data)) {
    if (f.number == 1) name = f.bytes;
    if (f.number == 2) {
      uint32_t bits;
      std::memcpy(&bits, f.bytes.data(), 4);
      value = cat(std::bit_cast<float>(bits));
    }
    if (f.number == 3) value = cat(static_cast<int64_t>(f.value));
    if (f.number == 8) list += cat(list.empty() ? "" : ",", static_cast<int64_t>(f.value));
    if (f.number == 20 && f.value == 7) value = "[" + list + "]";
  }
  return cat("\"", name, "\":", value);
}

inline OnnxNode onnx_node(std::string_view data) {
  OnnxNode n;
  for (const ProtobufField& f : protobuf_fields(data)) {
    if (f.number == 1) n.inputs.emplace_back(f.bytes);
    if (f.number == 2) n.outputs.emplace_back(f.bytes);
    if (f.number == 3) n.name = f.bytes;
    if (f.number == 4) n.type = f.bytes;
    if (f.number == 5) n.attributes += (n.attributes.empty() ? "" : ",") + onnx_attribute(f.bytes);
  }
  n.attributes = "{" + n.attributes + "}";
  return n;
}

inline std::pair<std::string, Tensor> onnx_weight(std::string_view data) {
  std::string name;
  std::string_view raw;
  Shape shape;
  int64_t type = 0;
  for (const ProtobufField& f : protobuf_fields(data)) {
    if (f.number == 1) shape.push_back(static_cast<int64_t>(f.value));
    if (f.number == 2) type = static_cast<int64_t>(f.value);
    if (f.number == 8) name = f.bytes;
    if (f.number == 9) raw = f.bytes;
  }
  check(type == 1 || type == 7, ErrorKind::kData, "test", "data type ", type);
  Tensor value = empty(shape, type == 1 ? Dtype::f32 : Dtype::i64);
  check(static_cast<int64_t>(raw.size()) == value.numel() * size_of(value.dtype()), ErrorKind::kData, "test", name,
        " has too many bytes or too few");
  void* to = type == 1 ? static_cast<void*>(value.mutable_data<float>()) : value.mutable_data<int64_t>();
  std::memcpy(to, raw.data(), raw.size());
  return {name, value};
}

inline std::pair<std::string, std::vector<int64_t>> onnx_value(std::string_view data) {
  const auto inner = [](std::string_view of, int number) {
    for (const ProtobufField& f : protobuf_fields(of))
      if (f.number == number) return f.bytes;
    return std::string_view();
  };
  std::pair<std::string, std::vector<int64_t>> result{std::string(inner(data, 1)), {}};
  for (const ProtobufField& dim : protobuf_fields(inner(inner(inner(data, 2), 1), 2)))
    for (const ProtobufField& f : protobuf_fields(dim.bytes))
      result.second.push_back(f.number == 1 ? static_cast<int64_t>(f.value) : -1);
  return result;
}

inline OnnxFile read_onnx(std::string_view data) {
  OnnxFile file;
  for (const ProtobufField& f : protobuf_fields(data)) {
    if (f.number == 1) file.ir_version = static_cast<int64_t>(f.value);
    if (f.number == 2) file.producer = f.bytes;
    if (f.number == 8) file.opset = static_cast<int64_t>(protobuf_fields(f.bytes).back().value);
    if (f.number == 14) {
      const auto entry = protobuf_fields(f.bytes);
      file.metadata[std::string(entry.at(0).bytes)] = entry.at(1).bytes;
    }
    if (f.number != 7) continue;
    for (const ProtobufField& g : protobuf_fields(f.bytes)) {
      if (g.number == 1) file.nodes.push_back(onnx_node(g.bytes));
      if (g.number == 5) file.weights.insert(onnx_weight(g.bytes));
      if (g.number == 11) file.inputs.insert(onnx_value(g.bytes));
      if (g.number == 12) file.outputs.insert(onnx_value(g.bytes));
    }
  }
  return file;
}

}  // namespace vitrail::testing
