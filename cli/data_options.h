// The options by which commands open data sets, and what they tell the user meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/command.h"
#include "data/sets/registry.h"

namespace vitrail::cli {

struct DataFlags {
  int64_t image_size = 0;
  std::string bad_image = "stop", mean_std = "measured";
  std::string labels = "auto";  // one, several: of lists
};

// "--data": what help says of it.
extern const char* const kDataHelp;

// --image-size, --bad-image, --mean-std, --labels.
void add_data_flags(Command& command, DataFlags& flags);
// --labels alone.
void add_labels_flag(Command& command, DataFlags& flags);
// Error(kValue) for another word than the options know. With progress on standard error unless quiet.
DatasetOptions dataset_options(const DataFlags& flags, bool quiet = false);

// --limit: n of the set's pictures, evenly spread over files, which stand class by class; of other sets the first.
DatasetPtr limited(const DatasetPtr& set, int64_t n);

// The source's notes, and the pictures that were left out, on standard error.
void print_notes(const DatasetSource& source);
// "left out 5 pictures that cannot be read: a.png, b.png, c.png and 2 more"; "" if there are none.
std::string left_out(const std::vector<BadImage>& bad);

// A line on standard error every few seconds.
DataProgress progress_lines();

}  // namespace vitrail::cli
