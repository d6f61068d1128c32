// Files of torch.save(): a pickle that describes objects, and beside it the bytes of the storages. Since torch 1.6 it is a ZIP
// archive (NAME/data.pkl, NAME/data/KEY, NAME/byteorder), before that pickles and storages one after another.
#pragma once

#include <functional>
#include <vector>

#include "base/zip.h"
#include "models/weights/formats/tensor_file.h"
#include "models/weights/formats/torch_tensor.h"

namespace vitrail {

// Whether the archive holds the pickle of a torch file.
bool is_torch_archive(const ZipArchive& archive);

// Reads the chosen part (torch_parts.h). Error(kData) naming the file if the pickle names what is not read (torch_names.h), a
// tensor reaches beyond its storage, a storage is missing, damaged (CRC-32; torch can write zeros instead of all of them, then
// none is compared) or big-endian, or if tensors that share a storage or have strides of zero would take more than the size of
// the file plus 64 MiB.
TensorFile read_torch_archive(const ZipArchive& archive, const TensorFileOptions& options);
TensorFile read_torch_legacy(const ByteSource& source, const TensorFileOptions& options);

// What both have in common: copies bytes of a storage, and builds the tensors.
using ReadStorage = std::function<void(const TorchStorage& storage, int64_t offset, void* to, int64_t bytes)>;
void build_torch_tensors(const ByteSource& source, const std::vector<TorchTensor>& tensors, const ReadStorage& read,
                         TensorFile& file);

}  // namespace vitrail
