// CIFAR-10 and CIFAR-100 in their binary form: records of one (CIFAR-10) or two (CIFAR-100: coarse, fine) label bytes and
// 3072 pixel bytes, red plane first. A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
#pragma once

#include <string>

#include "data/dataset.h"

namespace vitrail {

enum class CifarKind { k10, k100 };

// Reads one split of a folder: data_batch_1.bin ... data_batch_5.bin or test_batch.bin (CIFAR-10), train.bin or test.bin
// (CIFAR-100, fine labels). The usual sub-folder (cifar-10-batches-bin, cifar-100-binary) is found by itself. Class names
// come from batches.meta.txt or fine_label_names.txt if present, which must then name every class; else they are the
// known names (CIFAR-10) or numbers (CIFAR-100).
// Error(kIo) for a missing file; Error(kData) if a size is not a multiple of the record or a label is out of range.
DatasetPtr read_cifar_folder(const std::string& folder, CifarKind kind, bool train, DatasetInfo info);

}  // namespace vitrail
