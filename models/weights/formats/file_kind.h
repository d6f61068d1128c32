// What a file is, by its content.
#pragma once

#include "base/byte_source.h"

namespace vitrail {

enum class FileKind { kSafetensors, kZip, kPickle, kShardIndex };

// Error(kData) that names what the file is instead, where that can be told: empty, a git-lfs pointer (with the size that it
// announces), an HTML page, an archive (tar, gzip, and others), HDF5, ONNX, TensorFlow, GGUF, a single .npy array, a picture.
FileKind recognise_file(const ByteSource& source);

}  // namespace vitrail
