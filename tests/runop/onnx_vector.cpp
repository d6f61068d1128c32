#include "tests/runop/onnx_vector.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/json.h"

namespace vitrail::onnx {
namespace {

std::string metadata(const SafetensorsFile& file, const std::string& key) {
  for (const auto& [name, value] : file.metadata) {
    if (name == key) return value;
  }
  return "";
}

// "input.3.bias" with prefix "input." is place 3, name "bias". False if the name has another prefix.
bool parse_name(const std::string& name, const std::string& prefix, const std::string& source, size_t* place,
                std::string* rest) {
  if (name.rfind(prefix, 0) != 0) return false;
  const char* begin = name.data() + prefix.size();
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(begin, end, *place);
  check(error == std::errc() && *place < 64 && (stop == end || *stop == '.'), ErrorKind::kData, "runop", source,
        ": tensor names are ", prefix, "0, ", prefix, "1, ...: found ", name.substr(0, 80));
  *rest = stop == end ? "" : std::string(stop + 1, end);
  return true;
}

template <class T>
void place_at(std::vector<T>& list, size_t place, T value) {
  if (list.size() <= place) list.resize(place + 1);
  list[place] = std::move(value);
}

// The names of node_inputs or node_outputs by position, "" for one left out; empty if the file does not say.
std::vector<std::string> node_names(const SafetensorsFile& file, const std::string& key, const std::string& source) {
  const std::string text = metadata(file, key);
  std::vector<std::string> names;
  if (text.empty()) return names;
  const nlohmann::json json = parse_json(text, source);
  check(json.is_array(), ErrorKind::kData, "runop", source, ": ", key, " must be a list of names");
  for (const auto& name : json) {
    check(name.is_string(), ErrorKind::kData, "runop", source, ": ", key, " must be a list of names");
    names.push_back(name.get<std::string>());
  }
  return names;
}

size_t position(const std::vector<std::string>& names, size_t place, const std::string& name) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (!name.empty() && names[i] == name) return i;
  }
  return place;
}

}  // namespace

StoredCall stored_call(const SafetensorsFile& file, const std::string& source) {
  StoredCall stored;
  stored.op = metadata(file, "op");
  if (stored.op.empty()) stored.op = metadata(file, "operator");
  const std::string attributes = metadata(file, "attrs");
  if (!attributes.empty()) stored.call.attributes = Attributes::parse(attributes, source);
  const std::vector<std::string> names = node_names(file, "node_inputs", source);
  const std::vector<std::string> output_names = node_names(file, "node_outputs", source);
  for (const auto& [name, tensor] : file.tensors) {
    size_t place = 0;
    std::string rest;
    if (parse_name(name, "input.", source, &place, &rest)) {
      place_at(stored.call.inputs, position(names, place, rest), Variable(tensor));
    } else if (parse_name(name, "output.", source, &place, &rest)) {
      place_at(stored.outputs, position(output_names, place, rest), tensor);
    } else if (parse_name(name, "grad_output.", source, &place, &rest)) {
      place_at(stored.grad_outputs, place, tensor);
    } else {
      fail(ErrorKind::kData, "runop", source, ": tensor names start with input., output. or grad_output.: found ",
           name.substr(0, 80));
    }
  }
  stored.call.num_outputs = std::max<int64_t>(1, static_cast<int64_t>(stored.outputs.size()));
  return stored;
}

}  // namespace vitrail::onnx
