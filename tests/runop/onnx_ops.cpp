#include "tests/runop/onnx_ops.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json.h"

namespace vitrail::onnx {

Attributes Attributes::parse(const std::string& text, const std::string& source) {
  Attributes result;
  const nlohmann::json json = parse_json(text, source);
  check(json.is_object(), ErrorKind::kData, "attributes", source, ": the attributes must be a JSON object");
  for (const auto& [name, value] : json.items()) {
    if (value.is_number() || value.is_boolean()) {
      result.numbers_[name] = value.is_boolean() ? static_cast<double>(value.get<bool>()) : value.get<double>();
    } else if (value.is_string()) {
      result.texts_[name] = value.get<std::string>();
    } else if (value.is_array()) {
      std::vector<double>& list = result.lists_[name];
      for (const auto& item : value) {
        check(item.is_number(), ErrorKind::kData, "attributes", source, ": ", name, " must be a list of numbers");
        list.push_back(item.get<double>());
      }
    } else {
      fail(ErrorKind::kData, "attributes", source, ": ", name, " must be a number, a string or a list of numbers");
    }
  }
  return result;
}

bool Attributes::has(const std::string& name) const { return numbers_.count(name) || texts_.count(name) || lists_.count(name); }

double Attributes::number(const std::string& name, double otherwise) const {
  const auto found = numbers_.find(name);
  check(found != numbers_.end() || !has(name), ErrorKind::kData, "attributes", name, " must be a number");
  return found == numbers_.end() ? otherwise : found->second;
}

namespace {
int64_t whole(const std::string& name, double value) {
  check(std::abs(value) < 0x1p53 && value == std::floor(value), ErrorKind::kData, "attributes", name,
        " must be an integer: it is ", value);
  return static_cast<int64_t>(value);
}
}  // namespace

int64_t Attributes::integer(const std::string& name, int64_t otherwise) const {
  return whole(name, number(name, static_cast<double>(otherwise)));
}

std::string Attributes::text(const std::string& name, const std::string& otherwise) const {
  const auto found = texts_.find(name);
  check(found != texts_.end() || !has(name), ErrorKind::kData, "attributes", name, " must be a string");
  return found == texts_.end() ? otherwise : found->second;
}

std::vector<int64_t> Attributes::integers(const std::string& name, const std::vector<int64_t>& otherwise) const {
  const auto found = lists_.find(name);
  check(found != lists_.end() || !has(name), ErrorKind::kData, "attributes", name, " must be a list of integers");
  if (found == lists_.end()) return otherwise;
  std::vector<int64_t> result;
  for (double value : found->second) result.push_back(whole(name, value));
  return result;
}

const Variable& Call::in(size_t i) const {
  check(has(i), ErrorKind::kData, "runop", "input ", i, " is missing: ", inputs.size(), " given");
  return inputs[i];
}

std::vector<int64_t> Call::integers(size_t i) const {
  check(tensor(i).numel() <= 4096, ErrorKind::kData, "runop", "input ", i, " must be a short list of integers: shape is ",
        tensor(i).shape());
  return to_vector<int64_t>(tensor(i));
}

const Table& operators() {
  static const Table table = [] {
    Table result;
    add_elementwise(result);
    add_shape(result);
    add_reductions(result);
    add_layers(result);
    add_attention(result);
    add_losses(result);
    add_own_names(result);
    return result;
  }();
  return table;
}

}  // namespace vitrail::onnx
