// Several runs on one page: results beside each other, curves over each other, and what their configurations have different.
#pragma once

#include <string>
#include <vector>

#include "train/report/run_data.h"

namespace vitrail::report {

constexpr size_t kMostRuns = 16;

// A whole page. Runs of equal name get numbers. Error(kValue) unless there are 1 to kMostRuns runs.
std::string comparison_page(std::vector<RunData> runs);

}  // namespace vitrail::report
