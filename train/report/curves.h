// Which curves a report has: of one run training, test and clean training images together; of several runs a line each.
#pragma once

#include <vector>

#include "train/report/chart.h"
#include "train/report/run_data.h"

namespace vitrail::report {

std::vector<Chart> charts_of(const RunData& run);
std::vector<Chart> charts_of(const std::vector<RunData>& runs);

// The charts side by side.
std::string charts_html(const std::vector<Chart>& charts);
// The rows as a table: what the curves show, to be read. Of many rows the last.
std::string epochs_table(const RunData& run);

}  // namespace vitrail::report
