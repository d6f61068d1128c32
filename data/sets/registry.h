// Data sets by name or by path, as they are given on the command line.
#pragma once

#include <string>
#include <vector>

#include "data/sets/source.h"

namespace vitrail {

// A path that is there (data/sets/recognise.h says what it is), or "NAME:PATH" with a name of dataset_specs(), or the name of a
// set that the program draws. A note says what was concluded from a path alone. Error(kValue) for an unknown name (with the
// known ones and the nearest), a missing or superfluous path, or options out of range; Error(kIo) and Error(kData) as the
// readers throw them.
DatasetSource open_source(const std::string& spec, const DatasetOptions& options = {});

// One part: open_source(spec, options).open(split).
DatasetPtr open_dataset(const std::string& spec, Split split, const DatasetOptions& options = {});

// The names that open_source knows, with how each is written: {"mnist:DIR", ...}.
const std::vector<std::string>& dataset_specs();

// Whether the program draws the set of this name itself.
bool is_drawn(const std::string& name);

// Whether `text` names a data set: a known name, a path that is a folder, or a list.
bool is_dataset_spec(const std::string& text);

}  // namespace vitrail
