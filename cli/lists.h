// Options whose value is a list: "2,4,8".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vitrail::cli {

// The words between commas. Error(kValue) naming the option if one is empty.
std::vector<std::string> words_of(const char* op, const std::string& option, const std::string& text);
// Whole numbers of [low, high]. Error(kValue) naming option, range and word.
std::vector<int64_t> integers_of(const char* op, const std::string& option, const std::string& text, int64_t low, int64_t high);
// Finite numbers above 0. Error(kValue) naming option and word.
std::vector<double> positives_of(const char* op, const std::string& option, const std::string& text);

}  // namespace vitrail::cli
