// Reads the reference files of tests/models: safetensors from a trusted source, so without the guards of a real reader.
#pragma once

#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace vitrail::testing {

inline std::map<std::string, Tensor> read_fixture(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  uint64_t length = 0;
  check(bytes.size() > 8, ErrorKind::kIo, "fixture", "cannot read ", path);
  std::memcpy(&length, bytes.data(), 8);
  const char* data = bytes.data() + 8 + length;
  std::map<std::string, Tensor> tensors;
  const nlohmann::json header = nlohmann::json::parse(bytes.substr(8, length));
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const Shape shape(entry["shape"].get<std::vector<int64_t>>());
    const char* from = data + entry["data_offsets"][0].get<size_t>();
    const auto copy_as = [&](auto zero) {
      std::vector<decltype(zero)> values(static_cast<size_t>(checked_numel(shape)));
      std::memcpy(values.data(), from, values.size() * sizeof(zero));
      tensors[name] = from_vector(values, shape);
    };
    const std::string dtype = entry["dtype"];
    if (dtype == "F32") copy_as(float{});
    if (dtype == "F64") copy_as(double{});
    if (dtype == "I64") copy_as(int64_t{});
  }
  return tensors;
}

}  // namespace vitrail::testing
