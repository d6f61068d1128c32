#include "train/settings_differences.h"

#include "base/json.h"
#include "base/text.h"
#include "train/config.h"

namespace vitrail {

namespace {

// A recipe that an older version recorded lacks the fields that came later: it was run with what is usual for them.
std::string usual_of(const std::string& path) {
  constexpr const char* kRecipe = "recipe.";
  static const JsonDocument usual(recipe_json({}), "usual");
  JsonObject fields(usual.root(), "usual");
  const std::string key = path.starts_with(kRecipe) ? path.substr(std::string(kRecipe).size()) : "";
  return !key.empty() && fields.has(key) ? fields.json_text(key) : "missing";
}

void compare(JsonObject own, JsonObject other, const std::string& prefix, std::vector<std::string>& out) {
  std::vector<std::string> keys = own.keys();
  for (const std::string& key : other.keys())
    if (!own.has(key)) keys.push_back(key);
  for (const std::string& key : keys) {
    if (prefix + key == "setup.preprocessing" && !own.has(key)) continue;  // newer than what wrote it
    const std::string mine = own.has(key) ? own.json_text(key) : usual_of(prefix + key);
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
