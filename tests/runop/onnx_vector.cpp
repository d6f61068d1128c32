#include "tests/runop/onnx_vector.h"

#include <algorithm>
#include <charconv>

#include "base/file.h"
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
  check(error == std::errc() && *place < kManyInputs && (stop == end || *stop == '.'), ErrorKind::kData, "runop", source,
        ": tensor names are ", prefix, "0, ", prefix, "1, ...: found ", escaped(name, 60));
  *rest = stop == end ? "" : std::string(stop + 1, end);
  return true;
}

// The place of a tensor in a node whose operands have these names (none known: the place that its own name says). kElsewhere
// for one that another node of the file's model takes.
constexpr size_t kElsewhere = kManyInputs;
size_t position(const std::vector<std::string>& names, size_t place, const std::string& name) {
  if (names.empty() || name.empty()) return place;
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? kElsewhere : static_cast<size_t>(found - names.begin());
}

template <class T>
void place_at(std::vector<T>& list, size_t place, const std::string& name, T value) {
  if (place == kElsewhere) return;
  if (list.size() <= place) list.resize(place + 1);
  check(!list[place].defined(), ErrorKind::kData, "runop", "two tensors for one place: the second is ", escaped(name, 60));
  list[place] = std::move(value);
}

// The names of node_inputs or node_outputs by position, "" for one left out; empty if the file does not say.
std::vector<std::string> node_names(const SafetensorsFile& file, const std::string& key, const std::string& source) {
  const std::string text = metadata(file, key);
  if (text.empty()) return {};
  const JsonDocument document("{\"" + key + "\": " + text + "}", source);
  JsonObject object(document.root(), source, "", ErrorKind::kData);
  const std::vector<std::string> names = object.texts_or(key, {});
  object.finish();
  check(names.size() <= kManyInputs, ErrorKind::kData, "runop", key, " has ", names.size(), " names: at most ", kManyInputs);
  return names;
}

// {"ai.onnx": 13}; 0 if the file does not say. Other domains define other operators.
int64_t opset_of(const SafetensorsFile& file, const std::string& source) {
  const std::string text = metadata(file, "opset");
  if (text.empty()) return 0;
  const JsonDocument document(text, source);
  JsonObject object(document.root(), source, "opset", ErrorKind::kData);
  const int64_t opset = object.integer_or("ai.onnx", 1, 1000, 0);
  object.finish();
  return opset;
}

}  // namespace

StoredCall stored_call(const SafetensorsFile& file, const std::string& source) {
  StoredCall stored;
  stored.op = metadata(file, "op");
  if (stored.op.empty()) stored.op = metadata(file, "operator");
  stored.call.attributes = Attributes(metadata(file, "attrs"), source);
  stored.call.opset = opset_of(file, source);
  const std::vector<std::string> names = node_names(file, "node_inputs", source);
  const std::vector<std::string> output_names = node_names(file, "node_outputs", source);
  for (const auto& [name, tensor] : file.tensors) {
    size_t place = 0;
    std::string rest;
    if (parse_name(name, "input.", source, &place, &rest)) {
      place_at(stored.call.inputs, position(names, place, rest), name, Variable(tensor));
    } else if (parse_name(name, "output.", source, &place, &rest)) {
      place_at(stored.outputs, position(output_names, place, rest), name, tensor);
    } else if (parse_name(name, "grad_output.", source, &place, &rest)) {
      place_at(stored.grad_outputs, place, name, tensor);
    } else {
      fail(ErrorKind::kData, "runop", source, ": tensor names start with input., output. or grad_output.: found ",
           escaped(name, 60));
    }
  }
  stored.call.num_outputs = std::max<int64_t>(1, static_cast<int64_t>(stored.outputs.size()));
  return stored;
}

}  // namespace vitrail::onnx
