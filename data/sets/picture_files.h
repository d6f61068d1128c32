// Data sets whose pictures are files: what a folder (data/sets/folder.h) or a list (data/sets/list.h) names, and the data set
// that reads them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/image/image.h"

namespace vitrail {

struct PictureFile {
  std::string path;
  int64_t label = 0;              // -1 in a multi-label set
  std::vector<int64_t> labels{};  // of a multi-label set: ascending, perhaps none
};

// A picture that cannot be read, and why.
struct BadImage {
  std::string path, reason;
};

// What was found, before any picture is opened. Where neither validation nor test has a file, a part of train is split off.
struct PictureList {
  std::string name;  // of the set
  std::vector<std::string> class_names;
  bool multi_label = false;  // files have PictureFile::labels
  std::vector<PictureFile> train, validation, test;
  std::vector<std::string> notes;     // sentences for the user: what was skipped, how classes are ordered
  std::vector<std::string> problems;  // what would have been an error, if errors are collected
};

// An error, or with `collect` a sentence more in list.problems.
void refuse(PictureList& list, bool collect, const std::string& message);

// Class names in natural order (base/natural_order.h), with a note where programs that sort by bytes number them differently.
// Names that are not UTF-8 are written with \xNN, so that they survive in a saved model.
std::string class_name_of(const std::string& name);
std::vector<std::string> ordered_classes(std::vector<std::string> names, std::vector<std::string>& notes);

// Called between pieces of work: what is done, how far, of how many.
using DataProgress = std::function<void(const char* what, int64_t done, int64_t total)>;

// What one look at each file says.
struct FileScan {
  uint64_t hash = 0;  // content_hash of the bytes
  std::string error;  // why it cannot be read; "": it can
};
// Reads every file, in parallel, one file a thread at a time; `decode`: also decodes the picture. A file that cannot be read is
// Error(kIo), or with `collect` an error of its scan.
std::vector<FileScan> scan_files(const std::vector<PictureFile>& files, bool decode, bool collect,
                                 const DataProgress& progress);

// read_image, with a hint at --bad-image in the message of Error(kData).
Tensor read_picture(const std::string& path, const DecodeOptions& decode = {});

// Pictures of their own sizes, u8 [info.channels, H, W]; info.height and width are what the model's size follows from.
class FileDataset : public Dataset {
 public:
  // Error(kValue) if a label is outside of the classes, or a file has no label in a set that is not multi-label.
  FileDataset(DatasetInfo info, std::vector<PictureFile> files, DecodeOptions decode = {});

  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  // Error(kData) naming the file if it is damaged, Error(kIo) if it cannot be opened.
  Sample sample(int64_t index) const override;
  int64_t label(int64_t index) const override;
  std::vector<int64_t> labels(int64_t index) const override;
  std::string sample_name(int64_t index) const override;
  bool reads_files() const override { return true; }

  const std::vector<PictureFile>& files() const { return files_; }

 private:
  std::vector<PictureFile> files_;
  DecodeOptions decode_;
};

}  // namespace vitrail
