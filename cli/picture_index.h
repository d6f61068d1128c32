// Features of all pictures of a folder, kept in a file between two questions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/weights/save.h"

namespace vitrail::cli {

// A picture as it was when its features were computed.
struct IndexedFile {
  std::string path;                 // below the folder
  int64_t bytes = 0, modified = 0;  // size, and time of the last change in nanoseconds

  friend bool operator==(const IndexedFile&, const IndexedFile&) = default;
};

struct PictureIndex {
  std::string model;  // fingerprint()
  std::vector<IndexedFile> files;
  Tensor features;  // f32 [N, D], rows of length 1
};

// 16 hexadecimal digits that change with any weight, the architecture or the preprocessing: what features depend on.
std::string fingerprint(const LoadedModel& loaded);

// A safetensors file: "features" f32 [N, D], "paths" u8, "bytes" and "modified" i64 [N]; the fingerprint in the header.
// Error(kData) if the file at `path` is something else or damaged; Error(kIo) if it cannot be read. An index that is not there
// is empty.
PictureIndex read_index(const std::string& path);
void write_index(const std::string& path, const PictureIndex& index);

// The index of the folder as it is now. Features of `known` are taken over where the model is the same and file name, size and
// time are those of the index; the others are computed. Pictures that cannot be read are named in notes and left out.
// `computed` counts.
PictureIndex index_folder(const LoadedModel& loaded, const std::string& folder, const PictureIndex& known, int64_t& computed);

}  // namespace vitrail::cli
