// The one door to the world's files of weights: a path in, named tensors out, whatever the format. Names, shapes and order are
// those of the file; what they mean is the business of models/weights/.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nn/state_dict.h"
#include "tensor/shape.h"

namespace vitrail {

// A tensor as it stands in the file. Types of all formats have the names that safetensors gives them: "F32", "BF16".
struct StoredTensor {
  std::string name;
  std::string type;
  Shape shape;
};

struct TensorFile {
  std::string format;                    // "safetensors", "torch zip", "torch before 1.6", "npz"; "safetensors in 3 files"
  std::string file;                      // the file that was read; of shards: their index
  std::string part;                      // of a torch dictionary: where the tensors stood, as "model"; "" if at its top
  std::vector<std::string> other_parts;  // further dictionaries of tensors that could have been chosen, as "model_ema"
  std::vector<std::pair<std::string, std::string>> metadata;  // __metadata__ of safetensors
  std::vector<StoredTensor> stored;                           // in the order of `tensors`
  nn::StateDict tensors;                                      // F16 and BF16 as f32; types as in tensor/stored_type.h
};

struct TensorFileOptions {
  // Which part of a torch dictionary: "" or "model", "ema", "teacher", "student", or the name of a part as the file spells it.
  std::string weights;
};

// Reads safetensors, torch's .pt and .pth (both the ZIP form and the one before 1.6) and NumPy's .npz. The format is recognised
// by content, never by name. Nothing of a file is executed.
//
// `path` is a file, the index of a sharded file (*.index.json), or a folder. Of a folder the first of these that is there is
// read: model.safetensors, model.safetensors.index.json, open_clip_model.safetensors, pytorch_model.bin,
// pytorch_model.bin.index.json, open_clip_pytorch_model.bin; else its only *.safetensors; else its only file among *.npz, *.pt,
// *.pth, *.pth.tar and *.bin.
//
// Error(kIo) if the path cannot be read. Error(kValue) for a folder with several candidates or none, and for weights that the
// file does not have. Error(kData) naming the file if it is damaged or of another kind: a git-lfs pointer, an HTML page, a cut
// download, an archive, a pickle that names what is not read. Nothing is half accepted.
// Memory: what is returned, and at most the size of the file plus 64 MiB.
TensorFile read_tensor_file(const std::string& path, const TensorFileOptions& options = {});

}  // namespace vitrail
