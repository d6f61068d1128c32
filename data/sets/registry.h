// Data sets by name, as they are given on the command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace vitrail {

enum class Split { kTrain, kTest };

struct DatasetOptions {
  uint64_t seed = 0;        // of the drawn sets
  int64_t train_size = 0;   // of the drawn sets, at most 10^9; 0 = 20,000
  int64_t test_size = 0;    // of the drawn sets, at most 10^9; 0 = 4,000
  int64_t image_size = 64;  // of scenes
  int64_t limit = 0;        // only the first `limit` samples; 0 = all
};

// "mnist:DIR", "fashion-mnist:DIR", "qmnist:DIR", "emnist-balanced:DIR" and the other parts of EMNIST (data/sets/mnist.h),
// "cifar10:DIR", "cifar100:DIR", "glyphs" or "scenes".
// Error(kValue) for an unknown name (with the known ones and the nearest), a missing or superfluous folder, or options out
// of range; Error(kIo) and Error(kData) as the readers throw them.
DatasetPtr open_dataset(const std::string& spec, Split split, const DatasetOptions& options = {});

// The names open_dataset knows, with how each is written: {"mnist:DIR", ...}.
const std::vector<std::string>& dataset_specs();

}  // namespace vitrail
