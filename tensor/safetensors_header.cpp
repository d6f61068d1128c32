#include "tensor/safetensors_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

namespace vitrail {
namespace {

using nlohmann::json;

constexpr size_t kMaxMetadataBytes = size_t{1} << 24;
constexpr size_t kMaxTensors = 200'000, kMaxMetadata = 1000, kMaxName = 1024;
constexpr uint64_t kMaxNumber = uint64_t{1} << 62;

// The grammar: {"__metadata__": {text: text, ...}, name: {"dtype": text, "shape": [n, ...], "data_offsets": [n, n]}, ...}.
// Every function sets a complaint and returns false for a value that is not allowed at its place.
class HeaderWalk : public json::json_sax_t {
 public:
  SafetensorsHeader result;

  bool null() override { return misplaced(); }
  bool boolean(bool) override { return misplaced(); }
  bool number_integer(json::number_integer_t) override { return in_list_ ? bad_number() : misplaced(); }
  bool number_float(json::number_float_t, const std::string&) override { return in_list_ ? bad_number() : misplaced(); }
  bool number_unsigned(json::number_unsigned_t value) override {
    if (!in_list_) return misplaced();
    if (value > kMaxNumber) return bad_number();
    if (field_ == "shape" && numbers_.size() == static_cast<size_t>(kMaxDims))
      return complain(cat("tensor ", tensor(), ": shape must be a list of at most ", kMaxDims, " sizes"));
    if (field_ != "shape" && numbers_.size() == 2) return bad_offsets();
    numbers_.push_back(static_cast<int64_t>(value));
    return true;
  }
  bool string(std::string& text) override {
    if (in_list_) return bad_number();
    if (depth_ == 2 && in_metadata_) {
      metadata_bytes_ += field_.size() + text.size();
      if (metadata_bytes_ > kMaxMetadataBytes) return complain(cat("__metadata__ has more than ", kMaxMetadataBytes, " bytes"));
      result.metadata.emplace_back(field_, text);
      return true;
    }
    if (depth_ != 2 || field_ != "dtype") return misplaced();
    entry_.type = text.substr(0, kMaxName);
    return true;
  }
  bool binary(json::binary_t&) override { return misplaced(); }

  bool start_object(std::size_t) override {
    if (depth_ == 2 || in_list_) return complain_depth();
    ++depth_;
    if (depth_ == 2) fields_.clear();
    return true;
  }
  bool key(std::string& name) override {
    return depth_ == 1 ? tensor_name(name) : in_metadata_ ? metadata_key(name) : field(name);
  }
  bool end_object() override {
    if (--depth_ == 0 || in_metadata_) return true;
    if (fields_.size() != 3) return wrong_fields();
    result.entries.push_back(std::move(entry_));
    return true;
  }

  bool start_array(std::size_t) override {
    if (in_list_) return complain_depth();
    if (depth_ != 2 || in_metadata_ || field_ == "dtype") return misplaced();
    in_list_ = true;
    numbers_.clear();
    return true;
  }
  bool end_array() override {
    in_list_ = false;
    if (field_ == "shape") {
      for (const int64_t extent : numbers_) entry_.shape.push_back(extent);
      return true;
    }
    if (numbers_.size() != 2) return bad_offsets();
    entry_.begin = numbers_[0], entry_.end = numbers_[1];
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    return complain(cat("no valid JSON at byte ", position));
  }

 private:
  bool complain(const std::string& text) {
    if (result.complaint.empty()) result.complaint = text;
    return false;
  }
  bool complain_depth() { return complain("nested deeper than 3"); }
  bool bad_number() { return complain(cat("tensor ", tensor(), ": sizes and offsets are integers from 0 to 2^62")); }
  bool bad_offsets() { return complain(cat("tensor ", tensor(), ": data_offsets must be [begin, end]")); }
  bool wrong_fields() {
    return complain(cat("tensor ", tensor(), " must have dtype, shape and data_offsets, and nothing else"));
  }
  // Refuses a value of a kind that is not allowed here.
  bool misplaced() {
    if (depth_ == 0) return complain("the header must be an object");
    if (in_metadata_) {
      return complain(depth_ == 1 ? "__metadata__ must be an object of texts"
                                  : cat("__metadata__.", escaped(field_), " must be a text"));
    }
    if (depth_ == 1) return wrong_fields();
    if (field_ == "dtype") return complain(cat("tensor ", tensor(), ": dtype must be a text"));
    return field_ == "shape" ? complain(cat("tensor ", tensor(), ": shape must be a list of at most ", kMaxDims, " sizes"))
                             : bad_offsets();
  }
  std::string tensor() const { return escaped(entry_.name); }

  bool tensor_name(std::string& name) {
    in_metadata_ = name == "__metadata__";
    if (in_metadata_) return !std::exchange(metadata_seen_, true) || twice(name);
    entry_ = {};
    entry_.name = name;
    if (name.empty() || name.size() > kMaxName)
      return complain(cat("a tensor name must have 1 to ", kMaxName, " bytes: ", tensor()));
    if (result.entries.size() == kMaxTensors) return complain(cat("too many tensors: more than ", kMaxTensors));
    return names_.insert(name).second || twice(name);
  }
  bool metadata_key(std::string& name) {
    field_ = name;
    if (fields_.size() == kMaxMetadata) return complain(cat("__metadata__ has more than ", kMaxMetadata, " keys"));
    return fields_.insert(name).second || twice(name);
  }
  bool field(std::string& name) {
    field_ = name;
    if (name != "dtype" && name != "shape" && name != "data_offsets") return wrong_fields();
    return fields_.insert(name).second || twice(name);
  }
  bool twice(const std::string& name) { return complain(cat("the key ", escaped(name), " stands twice")); }

  int depth_ = 0;  // nesting depth of objects
  bool in_list_ = false, in_metadata_ = false, metadata_seen_ = false;
  size_t metadata_bytes_ = 0;
  std::string field_;  // the current key of an inner object
  SafetensorsEntry entry_;
  std::vector<int64_t> numbers_;
  std::unordered_set<std::string> names_, fields_;
};

}  // namespace

SafetensorsHeader read_safetensors_header(const std::string& text) {
  HeaderWalk walk;
  const size_t nul = text.find('\0');
  if (nul != std::string::npos) {
    walk.result.complaint = cat("a NUL byte at byte ", nul);
    return std::move(walk.result);
  }
  const int64_t longest = longest_text(text);  // checked before the parser stores it
  if (longest > static_cast<int64_t>(kMaxMetadataBytes)) {
    walk.result.complaint = cat("a text of ", longest, " bytes, at most ", kMaxMetadataBytes);
    return std::move(walk.result);
  }
  bool valid = false;
  try {
    valid = json::sax_parse(text, &walk);
  } catch (const json::exception&) {
    valid = false;
  }
  if (!valid && walk.result.complaint.empty()) walk.result.complaint = "no valid JSON";
  std::sort(walk.result.metadata.begin(), walk.result.metadata.end());
  return std::move(walk.result);
}

}  // namespace vitrail
