// IDX, the format of the MNIST family: a magic number (two zero bytes, element type, rank), the extents as big-endian
// 32-bit numbers, then the elements in row-major order. Y. LeCun, C. Cortes, C. Burges, "The MNIST database of
// handwritten digits", section "The IDX file format". The files come plain or packed by gzip.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace vitrail {

// The bytes of an IDX file, plain or gzip (told apart by content, not by name), as a u8 tensor of its extents. `name`
// stands in the messages. Error(kData) if the magic is wrong, the elements are not unsigned bytes, the rank is not
// `rank`, an extent is not positive, the size differs from what the extents say (bytes too few or too many), or the gzip
// stream is damaged or ends early.
Tensor decode_idx(const std::vector<uint8_t>& bytes, const std::string& name, int rank);

// The same from a file. Error(kIo) if it cannot be read.
Tensor read_idx(const std::string& path, int rank);

// Reads `split` ("train" or "t10k") of an MNIST-like folder: SPLIT-images-idx3-ubyte and SPLIT-labels-idx1-ubyte, also with
// '.' in place of the '-' before idx, with or without .gz. Images become [N, 1, H, W]. Error(kIo) if a file is missing (with
// the names looked for); Error(kData) if the counts of images and labels differ, a label is not below the number of classes,
// or the images are not info.height x info.width.
DatasetPtr read_mnist_folder(const std::string& folder, const std::string& split, DatasetInfo info);

}  // namespace vitrail
