// Labels by name: a data set whose classes stand in another order than those of a model.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace vitrail {

// The data set with the classes `names`: itself if they are its own, else the same samples with each label moved to where its
// class stands in `names`; classes of `names` that the data set has not get no sample. Error(kValue) with names of both sides
// if a class of the data set is not in `names`.
DatasetPtr with_classes(DatasetPtr data, const std::vector<std::string>& names);

// The same, without the samples of classes that are not in `names`; of a multi-label set without those labels.
struct KnownClasses {
  DatasetPtr data;
  std::vector<std::string> unknown;  // classes of the data set that are not in `names`
  int64_t left_out = 0;              // their samples
};
// Error(kValue) if nothing is left.
KnownClasses with_known_classes(const DatasetPtr& data, const std::vector<std::string>& names);

// What a user should know of how the two are matched: "" if names and order are equal, else where the order differs, or what
// the data set has no sample of. For a data set whose classes are all in `names`.
std::string about_order(const std::vector<std::string>& data, const std::vector<std::string>& names);

}  // namespace vitrail
