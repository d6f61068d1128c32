// A training run on disk: one safetensors file that holds everything the rest of the run depends on, with a checksum for each
// tensor and text (tensor/safetensors_checksums.h). Tensors are those of tensors_of(RunState); the header's "vitrail_run" entry
// is JSON: format, state, model, preprocessing, class names, data, job.
//
// Nothing in it describes the machine or the time: a run that was stopped and resumed ends with the same bytes as one that was
// not, for any number of threads.
//
// A run folder keeps two generations:
//   checkpoint.safetensors            the newest
//   checkpoint-previous.safetensors   the one before
//   checkpoint-next.safetensors       one that is being put in place; whole and valid wherever it is found
// The next one is written, read back and verified before the oldest goes, so that at any moment, under any crash, the folder
// holds the last checkpoint that was saved. A file is only ever replaced by a rename.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "models/weights/save.h"
#include "train/run_state.h"

namespace vitrail {

constexpr const char* kCheckpointFile = "checkpoint.safetensors";
constexpr const char* kPreviousFile = "checkpoint-previous.safetensors";
constexpr const char* kNextFile = "checkpoint-next.safetensors";
constexpr const char* kRunKey = "vitrail_run";  // of the metadata

struct Checkpoint {
  RunState state;
  std::string architecture = "{}";  // Task::architecture()
  ModelCard card{};                 // Task::card(); its `training` is not kept
  std::string data = "{}";          // data_identity() of what it is trained and tested on
  std::string job = "{}";           // a JSON object of the caller's: whatever else is needed to set the run up again
};

// JSON that tells data sets apart: name, number of images, CRC-32C of the labels (of at most 65,536, evenly spaced). Where the
// files lie does not matter.
std::string data_identity(const Dataset& train, const Dataset* test);

// Atomic (base/file.h). Error(kNumeric) naming the tensor if one is not finite; Error(kIo) if the file system refuses.
void write_checkpoint(const std::string& path, const Checkpoint& checkpoint);
// Error(kData) naming the file and what is wrong if it is no checkpoint, of a format that this program does not know, damaged,
// or not finite; Error(kIo) if it cannot be read. Fields that an older version did not write have their defaults.
Checkpoint read_checkpoint(const std::string& path);

// The two generations. Errors of write_checkpoint, and Error(kIo) if what was read back is not what was written; then the
// checkpoints that the folder held are still there.
void save_checkpoint(const std::string& folder, const Checkpoint& checkpoint);
// Whether the folder holds a checkpoint, valid or not.
bool has_checkpoint(const std::string& folder);
struct FoundCheckpoint {
  Checkpoint checkpoint;
  std::string path;
  std::string complaint;             // about the newest that could not be read; empty if this is the newest
  std::vector<std::string> damaged;  // newer ones that could not be read
};
// The newest that is valid. Error(kIo) if the folder has none; Error(kData) if none of them is valid.
FoundCheckpoint find_checkpoint(const std::string& folder);
// Makes what was found the newest of the folder: the damaged ones get another name (.damaged behind it), so that they take no valid
// one's place in the next save, and a save that was killed between its renames is finished. Error(kIo).
void settle(const std::string& folder, const FoundCheckpoint& found);
// All generations; what is not there is no error. Error(kIo).
void remove_checkpoints(const std::string& folder);

}  // namespace vitrail
