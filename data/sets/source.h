// A data set that has been found and looked at: its parts are opened from here.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/sets/picture_files.h"

namespace vitrail {

enum class BadImages { kStop, kSkip };
enum class MeanStd { kMeasured, kImagenet };
enum class LabelsPerPicture { kByContent, kOne, kSeveral };

struct DatasetOptions {
  uint64_t seed = 0;       // of the drawn sets
  int64_t train_size = 0;  // of the drawn sets, at most 10^9; 0 = 20,000
  int64_t test_size = 0;   // of the drawn sets, at most 10^9; 0 = 4,000
  // Of scenes: the side of a picture; 0 = 64. Of folders and lists: the side of the model's input; 0 = that of the pictures if
  // they have one size of at most 256, else 224.
  int64_t image_size = 0;
  int64_t limit = 0;  // only so many samples: the first, or of folders and lists evenly spread; 0 = all

  // Of folders and lists. kStop: the first picture that cannot be read is an error when it is met. kSkip: all are decoded once,
  // before training, and those that cannot be read are left out, so that the set is known before the order of an epoch is.
  BadImages bad_images = BadImages::kStop;
  double validation_fraction = 0.2;       // split off by content where there is neither validation nor test
  LabelsPerPicture labels = LabelsPerPicture::kByContent;  // of lists (data/sets/list.h)
  MeanStd mean_std = MeanStd::kMeasured;  // on at most 2,000 training pictures; or those of ImageNet
  DecodeOptions decode{};                 // of the pictures that samples are
  bool collect_problems = false;          // report empty classes and the like instead of refusing the set: for data-check
  DataProgress progress{};                // may be empty
};

struct DatasetSource {
  std::string name;
  std::vector<Split> parts;  // those that are different sets of pictures, in the order of the enum
  std::function<DatasetPtr(Split)> open;
  std::vector<std::string> notes;     // sentences for the user
  std::vector<std::string> problems;  // with options.collect_problems
  std::vector<BadImage> bad;          // left out by kSkip
};

// The set of the files of a list: bad ones left out, validation split off, statistics measured. Errors as in the options.
DatasetSource open_pictures(PictureList list, const DatasetOptions& options);

}  // namespace vitrail
