#include "base/json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/file.h"

namespace vitrail {
namespace {

using nlohmann::json;

// Checks syntax, depth and duplicate keys of a text without building a tree. Stops at the first error.
class StrictWalk : public json::json_sax_t {
 public:
  explicit StrictWalk(const JsonLimits& limits) : max_depth_(limits.max_depth), values_left_(limits.max_values) {}
  std::string complaint;

  bool null() override { return another(); }
  bool boolean(bool) override { return another(); }
  bool number_integer(json::number_integer_t) override { return another(); }
  bool number_unsigned(json::number_unsigned_t) override { return another(); }
  bool number_float(json::number_float_t value, const std::string& text) override {
    return std::isfinite(value) ? another() : complain("a number out of range: " + escaped(text, 30));
  }
  bool string(std::string&) override { return another(); }
  bool binary(json::binary_t&) override { return complain("binary data"); }
  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return deeper();
  }
  bool key(std::string& name) override {
    return keys_.back().insert(name).second || complain("the key " + escaped(name) + " stands twice");
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override { return deeper(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    return complain("no valid JSON at byte " + std::to_string(position));
  }

 private:
  bool complain(const std::string& text) {
    if (complaint.empty()) complaint = text;
    return false;
  }
  bool another() { return --values_left_ >= 0 || complain("too many values"); }
  bool deeper() { return another() && deeper_by_one(); }
  bool deeper_by_one() { return ++depth_ <= max_depth_ || complain("nested deeper than " + std::to_string(max_depth_)); }

  int max_depth_, depth_ = 0;
  int64_t values_left_;
  std::vector<std::unordered_set<std::string>> keys_;
};

}  // namespace

json parse_json(const std::string& text, const std::string& source, ErrorKind kind, const JsonLimits& limits) {
  const std::string name = escaped_path(source);
  const auto require = [&](bool rule, const auto&... parts) { check(rule, kind, "json", name, ": ", parts...); };
  require(static_cast<int64_t>(text.size()) <= limits.max_bytes, "too long: ", text.size(), " bytes, at most ",
          limits.max_bytes);
  require(text.find('\0') == std::string::npos, "a NUL byte at byte ", text.find('\0'));
  require(text.compare(0, 3, "\xef\xbb\xbf") != 0, "starts with a byte order mark. Hint: save it as plain UTF-8.");
  const int64_t longest = longest_text(text);
  require(longest <= limits.max_text, "a text or key of ", longest, " bytes, at most ", limits.max_text);
  StrictWalk walk(limits);
  bool valid = false;
  try {
    valid = json::sax_parse(text, &walk);
  } catch (const json::exception&) {
    valid = false;
  }
  require(valid && walk.complaint.empty(), walk.complaint.empty() ? "no valid JSON" : walk.complaint);
  try {
    return json::parse(text);
  } catch (const json::exception&) {
    fail(kind, "json", name, ": no valid JSON");
  }
}

JsonDocument::JsonDocument(const std::string& text, const std::string& source, ErrorKind kind, const JsonLimits& limits)
    : root_(std::make_unique<json>(parse_json(text, source, kind, limits))) {}
JsonDocument::~JsonDocument() = default;

std::string tidy_json(const std::string& text, const std::string& source, ErrorKind kind) {
  return parse_json(text, source, kind).dump(2, ' ', false, json::error_handler_t::replace);
}

JsonObject::JsonObject(const json& object, std::string source, std::string path, ErrorKind kind)
    : object_(object), source_(escaped_path(source)), path_(std::move(path)), kind_(kind) {
  check(object.is_object(), kind, "json", source_, ": ", path_.empty() ? "the whole" : path_, " must be an object {...}");
}

void JsonObject::refuse(const std::string& key, const std::string& rule) const {
  fail(kind_, "config", source_, ": ", path_.empty() ? "" : path_ + ".", escaped(key), " ", rule);
}

bool JsonObject::has(const std::string& key) const { return object_.contains(key); }
bool JsonObject::is_null(const std::string& key) const { return object_.contains(key) && object_.at(key).is_null(); }

bool JsonObject::is_list(const std::string& key) const { return object_.contains(key) && object_.at(key).is_array(); }

bool JsonObject::is_text(const std::string& key) const { return object_.contains(key) && object_.at(key).is_string(); }

std::vector<std::string> JsonObject::keys() const {
  std::vector<std::string> names;
  for (const auto& item : object_.items()) names.push_back(item.key());
  return names;
}
std::string JsonObject::json_text(const std::string& key) {
  return value(key).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::vector<JsonObject> JsonObject::objects(const std::string& key) {
  std::vector<JsonObject> result;
  const json& list = array(key, value(key));
  for (size_t i = 0; i < list.size(); ++i)
    result.emplace_back(list[i], source_, cat(path_.empty() ? "" : path_ + ".", escaped(key), "[", i, "]"), kind_);
  return result;
}
std::vector<std::string> JsonObject::json_texts(const std::string& key) {
  std::vector<std::string> result;
  for (const json& item : array(key, value(key))) result.push_back(item.dump(-1, ' ', false, json::error_handler_t::replace));
  return result;
}

const json* JsonObject::find(const std::string& key) {
  known_.insert(key);
  const auto found = object_.find(key);
  return found == object_.end() ? nullptr : &*found;
}

const json& JsonObject::value(const std::string& key) {
  const json* found = find(key);
  if (!found) refuse(key, "is missing");
  return *found;
}

int64_t JsonObject::to_integer(const std::string& key, const json& value, int64_t low, int64_t high) const {
  const std::string range = cat("must be an integer from ", low, " to ", high, ": it is ",
                                escaped(value.dump(-1, ' ', true, json::error_handler_t::replace), 40));
  if (!value.is_number_integer()) refuse(key, range);
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    refuse(key, range);
  const auto number = value.get<int64_t>();
  if (number < low || number > high) refuse(key, range);
  return number;
}

double JsonObject::to_number(const std::string& key, const json& value, double low, double high) const {
  const std::string range = cat("must be a number from ", low, " to ", high, ": it is ",
                                escaped(value.dump(-1, ' ', true, json::error_handler_t::replace), 40));
  if (!value.is_number()) refuse(key, range);
  const auto number = value.get<double>();
  if (!(number >= low && number <= high)) refuse(key, range);
  return number;
}

const json& JsonObject::array(const std::string& key, const json& value) const {
  if (!value.is_array()) refuse(key, "must be a list [...]");
  return value;
}

int64_t JsonObject::integer(const std::string& key, int64_t low, int64_t high) {
  return to_integer(key, value(key), low, high);
}
int64_t JsonObject::integer_or(const std::string& key, int64_t low, int64_t high, int64_t otherwise) {
  const json* found = find(key);
  return found ? to_integer(key, *found, low, high) : otherwise;
}
double JsonObject::number(const std::string& key, double low, double high) { return to_number(key, value(key), low, high); }
double JsonObject::number_or(const std::string& key, double low, double high, double otherwise) {
  const json* found = find(key);
  return found ? to_number(key, *found, low, high) : otherwise;
}

bool JsonObject::boolean_or(const std::string& key, bool otherwise) {
  const json* found = find(key);
  if (!found) return otherwise;
  if (!found->is_boolean()) refuse(key, "must be true or false");
  return found->get<bool>();
}

std::string JsonObject::text(const std::string& key) {
  const json& found = value(key);
  if (!found.is_string()) refuse(key, "must be a text \"...\"");
  return found.get<std::string>();
}
std::string JsonObject::text_or(const std::string& key, const std::string& otherwise) {
  return find(key) ? text(key) : otherwise;
}

std::vector<int64_t> JsonObject::integers_or(const std::string& key, int64_t low, int64_t high,
                                             const std::vector<int64_t>& otherwise) {
  const json* found = find(key);
  if (!found) return otherwise;
  std::vector<int64_t> result;
  for (const json& item : array(key, *found)) result.push_back(to_integer(key, item, low, high));
  return result;
}

std::vector<double> JsonObject::numbers(const std::string& key, double low, double high) {
  value(key);
  return numbers_or(key, low, high, {});
}

std::vector<double> JsonObject::numbers_or(const std::string& key, double low, double high,
                                           const std::vector<double>& otherwise) {
  const json* found = find(key);
  if (!found) return otherwise;
  std::vector<double> result;
  for (const json& item : array(key, *found)) result.push_back(to_number(key, item, low, high));
  return result;
}

std::vector<std::string> JsonObject::texts_or(const std::string& key, const std::vector<std::string>& otherwise) {
  const json* found = find(key);
  if (!found) return otherwise;
  std::vector<std::string> result;
  for (const json& item : array(key, *found)) {
    if (!item.is_string()) refuse(key, "must be a list of texts");
    result.push_back(item.get<std::string>());
  }
  return result;
}

void JsonObject::finish() const {
  for (const auto& [key, value] : object_.items()) {
    if (known_.count(key)) continue;
    const std::string close = nearest(key, {known_.begin(), known_.end()});
    refuse(key, close.empty() ? "is not known here" : "is not known here. Hint: did you mean " + close + "?");
  }
}

int64_t longest_text(const std::string& text) {
  int64_t longest = 0;
  for (size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at)) {
    const size_t start = ++at;
    while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
    longest = std::max(longest, static_cast<int64_t>(std::min(at, text.size()) - start));
    if (at >= text.size()) break;
    ++at;
  }
  return longest;
}

namespace {

// The number of edits (insert, delete or replace a character, swap two neighbours) that turn a into b: optimal string alignment
// distance. Keeps three rows of the table.
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = i;
    for (size_t j = 1; j < row.size(); ++j) {
      row[j] = std::min({last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1), last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

}  // namespace

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  constexpr size_t kMostBytes = 64, kMostSteps = 3;
  if (word.size() > kMostBytes) return "";
  size_t best = std::clamp<size_t>(word.size() / 3, 1, kMostSteps) + 1;
  if (word.size() < 2) best = 0;
  std::string result;
  for (const std::string& other : candidates) {
    if (other.size() > kMostBytes) continue;
    const size_t distance = edit_distance(word, other);
    if (distance < best) best = distance, result = other;
  }
  if (!result.empty() || word.size() < 3) return result;
  const auto longer = std::find_if(candidates.begin(), candidates.end(), [&](const auto& c) { return c.starts_with(word); });
  return longer == candidates.end() ? "" : *longer;
}

}  // namespace vitrail
