// A data set looked through before anything is trained on it: every picture is opened once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "data/check/near_duplicates.h"
#include "data/sets/picture_facts.h"
#include "data/sets/source.h"

namespace vitrail {

struct SurveyedPicture {
  size_t part = 0;      // in Survey::parts
  std::vector<int64_t> labels;  // in Survey::class_names: one, or of a multi-label set any number
  int64_t index = 0;    // in its part
  std::string name;     // its path, or "mnist 17"
  std::string error;    // why it cannot be read; "": it can
  bool absent = false;  // it cannot even be opened: a file that is not there, or a disk that fails
  uint64_t hash = 0;    // of the file's bytes, or of the pixels where there is no file
  PictureFacts facts;
  Look look;
};

// Pictures by their number in Survey::pictures.
struct DuplicateGroup {
  std::vector<int64_t> pictures;
  bool across_parts = false;   // in training and in what is tested on: the result will be too good
  bool across_labels = false;  // one picture, two labels
};

struct Survey {
  std::string name;
  bool multi_label = false;  // a picture has any number of the classes
  std::vector<Split> parts;
  std::vector<std::string> class_names, notes, problems;
  std::vector<SurveyedPicture> pictures;

  std::vector<std::vector<int64_t>> counts;              // [part][class], pictures that can be read
  std::vector<int64_t> bad, one_colour;                  // pictures
  std::map<std::pair<int64_t, int64_t>, int64_t> sizes;  // (width, height): how many
  int64_t landscape = 0, portrait = 0, square = 0;
  int64_t grey = 0, grey_in_colour = 0, colour = 0;  // files of one channel; of three that are equal; of three
  std::vector<DuplicateGroup> equal;                 // of the same bytes
  std::vector<DuplicateGroup> alike;                 // that look the same and are not all of the same bytes
  ChannelStatistics statistics;                      // of the training pictures

  int64_t readable() const { return static_cast<int64_t>(pictures.size() - bad.size()); }
  // Pictures of the largest class of training, over those of the smallest.
  double imbalance() const;
  // Whether training would be refused or stopped: files that cannot be read, empty classes, parts that differ.
  bool has_errors() const { return !bad.empty() || !problems.empty(); }
  // Whether files that cannot be opened are all that is wrong: training would end with Error(kIo), not with Error(kData).
  bool only_absent() const;
};

// The same for any number of threads. Memory: 500 bytes a picture, and a decoded picture for each thread.
Survey survey(const DatasetSource& source, const DataProgress& progress = {});

// The findings as sentences, the worst first: what is wrong, then what is worth a look.
struct Finding {
  bool error = false;
  std::string text;
};
std::vector<Finding> findings_of(const Survey& survey);

// A table for people; an object for programs, {"classes": [..], "parts": .., ...}; a page with samples of every class, made
// from the source again.
std::string survey_text(const Survey& survey);
std::string survey_json(const Survey& survey);
std::string survey_page(const Survey& survey, const DatasetSource& source);

}  // namespace vitrail
