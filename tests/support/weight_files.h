// Helpers of the tests of files of weights: pickles and torch archives built by hand.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/byte_source.h"
#include "tests/support/checkpoint_folder.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/zip_file.h"

namespace vitrail::testing {

constexpr const char* kFormatFiles = "tests/models/golden/formats/";  // written by make.py there

inline ByteSource text_source(const std::string& bytes, const std::string& name = "file") {
  return source_of({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, name);
}

// Opcodes of pickle, as bytes that follow one another.
inline std::string pickled_text(const std::string& text) {
  std::string out = "X";
  add_little_endian(out, text.size(), 4);
  return out + text;
}
inline std::string pickled_integer(int64_t value) {
  std::string out = "\x8a\x08";
  add_little_endian(out, static_cast<uint64_t>(value), 8);
  return out;
}
inline std::string pickled_tuple(const std::vector<int64_t>& values) {
  std::string out = "(";
  for (const int64_t value : values) out += pickled_integer(value);
  return out + "t";
}

// What torch writes for a tensor on storage `key` of `count` elements.
struct PickledTensor {
  std::vector<int64_t> shape, strides;
  int64_t offset = 0;
  std::string key = "0";
  int64_t count = 4;
  std::string type = "FloatStorage";

  std::string storage() const {
    return "(" + pickled_text("storage") + "ctorch\n" + type + "\n" + pickled_text(key) + pickled_text("cpu") +
           pickled_integer(count) + "tQ";
  }
  std::string bytes() const {
    return "ctorch._utils\n_rebuild_tensor_v2\n(" + storage() + pickled_integer(offset) + pickled_tuple(shape) +
           pickled_tuple(strides) + "\x89" + "ccollections\nOrderedDict\n)RtR";
  }
};

// {"w": value}
inline std::string pickled_weights(const std::string& value) { return "\x80\x02}" + pickled_text("w") + value + "s."; }

// An archive as torch.save() makes it, with one storage of four floats 1, 2, 3, 4.
inline std::string torch_archive(const std::string& pickle, const std::string& order = "little",
                                 const std::string& storage = std::string("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40",
                                                                          16)) {
  return zip_file({{"x/data.pkl", pickle}, {"x/byteorder", order}, {"x/data/0", storage}, {"x/version", "3\n"}});
}

}  // namespace vitrail::testing
