// NumPy's .npz: a ZIP archive of NAME.npy arrays, as Google's ViT checkpoints are stored.
#pragma once

#include "base/zip.h"
#include "models/weights/formats/tensor_file.h"

namespace vitrail {

// Whether all entries are arrays.
bool is_npz(const ZipArchive& archive);

// Reads all arrays, in the order of the archive; names are those of the entries without ".npy". Fortran order becomes
// row-major. All arrays are checked as a whole, checksums included, before memory is taken for the first. Error(kData) naming
// file and array: base/zip.h, npy.h.
TensorFile read_npz(const ZipArchive& archive);

}  // namespace vitrail
