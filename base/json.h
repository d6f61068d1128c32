// A strict reader in front of nlohmann::json. By itself that library keeps the last of duplicate keys, narrows numbers
// silently, accepts bytes after a NUL, and overflows the stack when a deeply nested value is copied.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"

namespace vitrail {

// Parsed JSON takes up to a hundred times the memory of its text ([],[],[],...). A limit on the number of values bounds that.
struct JsonLimits {
  int64_t max_bytes = int64_t{16} << 20;
  int max_depth = 64;
  int64_t max_values = 400'000;
  int64_t max_text = int64_t{1} << 20;  // bytes of one text or key
};

// The length in bytes of the longest string of a JSON text, as written. Stores nothing.
int64_t longest_text(const std::string& text);

// Parses a text. Error(kind) naming source and what is wrong: syntax with its place, a duplicate key, nesting too deep, a NUL
// byte, a byte order mark, bytes after the value, broken UTF-8, a number out of range, too many values, a text too long.
nlohmann::json parse_json(const std::string& text, const std::string& source, ErrorKind kind = ErrorKind::kData,
                          const JsonLimits& limits = {});

// The same, for source files that read only through JsonObject: they need not include nlohmann's header, which takes seconds to
// compile.
class JsonDocument {
 public:
  JsonDocument(const std::string& text, const std::string& source, ErrorKind kind = ErrorKind::kData,
               const JsonLimits& limits = {});
  ~JsonDocument();
  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;
  const nlohmann::json& root() const { return *root_; }

 private:
  std::unique_ptr<nlohmann::json> root_;
};

// The same JSON on several lines with sorted keys, so that equal content gives equal text. Error(kind) as above.
std::string tidy_json(const std::string& text, const std::string& source, ErrorKind kind = ErrorKind::kData);

// Reads the fields of one object with their types and bounds; finish() refuses unknown keys.
// Errors: Error(kind) "source: key path: rule: value".
class JsonObject {
 public:
  // `path` is the key path of this object, "" at the top.
  JsonObject(const nlohmann::json& object, std::string source, std::string path = "", ErrorKind kind = ErrorKind::kValue);

  bool has(const std::string& key) const;
  // Integers only: 1.9, true and "1" are refused, not converted.
  int64_t integer(const std::string& key, int64_t low, int64_t high);
  int64_t integer_or(const std::string& key, int64_t low, int64_t high, int64_t otherwise);
  double number(const std::string& key, double low, double high);
  double number_or(const std::string& key, double low, double high, double otherwise);
  bool boolean_or(const std::string& key, bool otherwise);
  std::string text(const std::string& key);
  std::string text_or(const std::string& key, const std::string& otherwise);
  std::vector<int64_t> integers_or(const std::string& key, int64_t low, int64_t high, const std::vector<int64_t>& otherwise);
  std::vector<double> numbers_or(const std::string& key, double low, double high, const std::vector<double>& otherwise);
  std::vector<double> numbers(const std::string& key, double low, double high);
  std::vector<std::string> texts_or(const std::string& key, const std::vector<std::string>& otherwise);
  // The value as JSON text on one line, keys sorted. The key counts as read; Error if it is missing.
  std::string json_text(const std::string& key);
  bool is_list(const std::string& key) const;
  bool is_text(const std::string& key) const;
  // The names of all members, sorted.
  std::vector<std::string> keys() const;
  // The members of a list of objects, as objects with their key path ("trials[3]"). Error if it is missing or no such list.
  std::vector<JsonObject> objects(const std::string& key);
  // The items of a list, each as JSON text on one line. Error if it is missing or no list.
  std::vector<std::string> json_texts(const std::string& key);
  // The raw value; the key counts as read. Error if it is missing.
  const nlohmann::json& value(const std::string& key);
  bool is_null(const std::string& key) const;

  // Error naming the first key that was never read, and the most similar key that was.
  void finish() const;
  // Throws an Error about one key, for rules that only the caller knows.
  [[noreturn]] void refuse(const std::string& key, const std::string& rule) const;

 private:
  const nlohmann::json* find(const std::string& key);
  int64_t to_integer(const std::string& key, const nlohmann::json& value, int64_t low, int64_t high) const;
  double to_number(const std::string& key, const nlohmann::json& value, double low, double high) const;
  const nlohmann::json& array(const std::string& key, const nlohmann::json& value) const;

  const nlohmann::json& object_;
  std::string source_, path_;
  ErrorKind kind_;
  std::set<std::string> known_;
};

// For "did you mean": the candidate nearest to `word` by edit distance, if it is near (at most a third of the word and three
// characters differ), or else the first that begins with it; "" if there is none. Words and candidates of more than 64 bytes
// never match, which bounds the cost of the search.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace vitrail
