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

}  // namespace vitrail
