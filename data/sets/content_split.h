// A validation part by content: which files belong to it is a function of their bytes, so that it stays the same when files are
// renamed or the folder is copied, and equal files are never on both sides.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "data/sets/picture_files.h"

namespace vitrail {

struct SplitFiles {
  std::vector<PictureFile> train, validation;  // in the order that they had
};

// From each class of n files, round(fraction * n) go to validation, at least one where n >= 2: those with the smallest hashes
// (data/sets/content_hash.h, mixed by Philox). Files of one hash go together, across classes too, so a class with copies may
// give some more or fewer, and never all. A file with several labels counts as of the rarest of them. hashes[i] belongs to
// files[i]. Error(kValue) unless 0 < fraction < 1.
SplitFiles split_by_content(const std::vector<PictureFile>& files, const std::vector<uint64_t>& hashes, double fraction);

}  // namespace vitrail
