// What is known of the public sets: sizes, class names, and mean and deviation of their training pictures.
#pragma once

#include <string>

#include "data/dataset.h"
#include "data/sets/cifar.h"

namespace vitrail {

DatasetInfo mnist_info();
DatasetInfo fashion_mnist_info();
// Kuzushiji-MNIST: ten hiragana (T. Clanuwat et al., arXiv:1812.01718).
DatasetInfo kmnist_info();
// One of emnist_names().
DatasetInfo emnist_info(const std::string& split);
DatasetInfo cifar_info(CifarKind kind);

}  // namespace vitrail
