#include "nn/load_report.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace vitrail::nn {
namespace {

constexpr size_t kShownBytes = 60;  // bytes of a key that a message shows

// "missing 5: a, b, c and 2 more"
template <class List, class Text>
std::string listed(const char* title, const List& list, size_t most, const Text& text) {
  if (list.empty()) return "";
  std::string result = cat(title, ' ', list.size(), ": ");
  for (size_t i = 0; i < std::min(most, list.size()); ++i) result += (i > 0 ? ", " : "") + text(list[i]);
  if (list.size() > most) result += cat(" and ", list.size() - most, " more");
  return result + ". ";
}

// The message of LoadError, with as many keys of each kind as fit, at most three.
std::string message_of(const LoadReport& differences) {
  std::string text;
  for (size_t most = 3; most >= 1; --most) {
    text = cat("[load_state_dict] the weights do not fit the model, nothing was changed: ", to_string(differences, most));
    if (text.size() <= kMaxMessage) break;
  }
  return text;
}

}  // namespace

std::string shown_key(const std::string& key) { return escaped(key, kShownBytes); }

std::string to_string(const LoadReport& report, size_t most) {
  const auto name = [](const std::string& key) { return shown_key(key); };
  const auto mismatch = [](const LoadReport::Mismatch& m) { return cat(shown_key(m.key), " (", m.reason, ')'); };
  std::string text = listed("missing", report.missing, most, name) + listed("unexpected", report.unexpected, most, name) +
                     listed("mismatching", report.mismatching, most, mismatch);
  text += cat("loaded ", report.loaded.size(), '.');
  return text;
}

LoadError::LoadError(LoadReport differences)
    : Error(ErrorKind::kValue, message_of(differences)), report(std::move(differences)) {}

}  // namespace vitrail::nn
