#include "cli/lists.h"

#include <algorithm>

#include "base/error.h"
#include "base/number.h"
#include "base/text.h"

namespace vitrail::cli {

std::vector<std::string> words_of(const char* op, const std::string& option, const std::string& text) {
  std::vector<std::string> words;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.size(), text.find(',', at));
    words.push_back(text.substr(at, end - at));
    check(!words.back().empty(), ErrorKind::kValue, op, option, " must be words between commas: it is ", quote(text), ".");
    at = end + 1;
  }
  return words;
}

std::vector<int64_t> integers_of(const char* op, const std::string& option, const std::string& text, int64_t low,
                                 int64_t high) {
  std::vector<int64_t> numbers;
  for (const std::string& word : words_of(op, option, text)) numbers.push_back(parse_integer(op, option, word, low, high));
  return numbers;
}

std::vector<double> positives_of(const char* op, const std::string& option, const std::string& text) {
  std::vector<double> numbers;
  for (const std::string& word : words_of(op, option, text)) {
    numbers.push_back(parse_number(op, option, word));
    check(numbers.back() > 0, ErrorKind::kValue, op, option, " must be above 0: it is ", quote(word), ".");
  }
  return numbers;
}

}  // namespace vitrail::cli
