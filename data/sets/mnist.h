// The data sets that come as IDX files: MNIST and Fashion-MNIST, EMNIST (G. Cohen, S. Afshar, J. Tapson, A. van Schaik,
// "EMNIST: an extension of MNIST to handwritten letters", 2017) and QMNIST (C. Yadav, L. Bottou, "Cold Case: The Lost MNIST
// Digits", 2019).
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace vitrail {

// Reads `split` ("train" or "t10k") of a folder: SPLIT-images-idx3-ubyte and SPLIT-labels-idx1-ubyte, also with '.' in place
// of the '-' before idx, with or without .gz, or each in a folder of its own name (Kaggle). Images become [N, 1, H, W].
// Labels are u8 [N], or i32 [N, 8] as in QMNIST, whose first column is the class.
// Error(kIo) if a file is missing (with the names looked for and those that are there); Error(kData) if the counts of images
// and labels differ, a label is not below the number of classes, or the images are not info.height x info.width.
DatasetPtr read_mnist_folder(const std::string& folder, const std::string& split, DatasetInfo info);

// Files qmnist-train-images-idx3-ubyte, qmnist-train-labels-idx2-int, qmnist-test-..., or the names of MNIST.
DatasetPtr read_qmnist_folder(const std::string& folder, bool train, DatasetInfo info);

// Files emnist-NAME-train-images-idx3-ubyte, ..., emnist-NAME-test-..., or the names of MNIST. The files hold the pictures
// transposed: they come out upright. Labels of "letters" count from 1 in the file, from 0 here.
DatasetPtr read_emnist_folder(const std::string& folder, const std::string& name, bool train, DatasetInfo info);

// The file of a split under the names of MNIST, its labels or its images; "" if it is not there.
std::string find_mnist_file(const std::string& folder, bool train, bool labels);
// i64 [N] from a file of labels: u8 [N], or the first column of QMNIST's i32 [N, 8].
Tensor read_mnist_labels(const std::string& path);

// "balanced", "byclass", "bymerge", "digits", "letters", "mnist": the six ways in which EMNIST is cut into classes.
const std::vector<std::string>& emnist_names();
// The characters of its classes. Error(kValue) for a name that is none of them.
std::vector<std::string> emnist_classes(const std::string& name);

}  // namespace vitrail
