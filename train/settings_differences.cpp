#include "train/settings_differences.h"

#include "base/json.h"
#include "base/text.h"

namespace vitrail {

namespace {

void compare(JsonObject own, JsonObject other, const std::string& prefix, std::vector<std::string>& out) {
  std::vector<std::string> keys = own.keys();
  for (const std::string& key : other.keys())
    if (!own.has(key)) keys.push_back(key);
  for (const std::string& key : keys) {
    const std::string mine = own.has(key) ? own.json_text(key) : "missing";
    const std::string theirs = other.has(key) ? other.json_text(key) : "missing";
    if (mine == theirs) continue;
    if (mine.front() == '{' && theirs.front() == '{')
      compare(JsonObject(own.value(key), "own"), JsonObject(other.value(key), "other"), prefix + key + ".", out);
    else
      out.push_back(cat(prefix, key, " is ", escaped(mine, 40), ", not ", escaped(theirs, 40)));
  }
}

}  // namespace

std::vector<std::string> settings_differences(const std::string& own, const std::string& other) {
  const JsonDocument a(own, "own"), b(other, "other");
  std::vector<std::string> result;
  compare(JsonObject(a.root(), "own"), JsonObject(b.root(), "other"), "", result);
  return result;
}

}  // namespace vitrail
