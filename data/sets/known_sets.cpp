#include "data/sets/known_sets.h"

#include "base/error.h"
#include "data/sets/mnist.h"

namespace vitrail {
namespace {

std::vector<std::string> numbered(const char* prefix, int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(cat(prefix, i));
  return names;
}

}  // namespace

DatasetInfo mnist_info() {
  return {.name = "mnist",
          .channels = 1,
          .height = 28,
          .width = 28,
          .class_names = numbered("", 10),
          .mean = {0.1307},
          .std = {0.3081},
          .mirror_keeps_class = false};
}

DatasetInfo kmnist_info() {
  DatasetInfo info = mnist_info();
  info.name = "kmnist";
  info.class_names = {"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"};
  info.mean = {0.1918};
  info.std = {0.3483};
  return info;
}

// Mean and std as measured on the training images of "balanced".
DatasetInfo emnist_info(const std::string& split) {
  DatasetInfo info = mnist_info();
  info.name = "emnist-" + split;
  info.class_names = emnist_classes(split);
  info.mean = {0.1751};
  info.std = {0.3332};
  return info;
}

DatasetInfo fashion_mnist_info() {
  return {
      .name = "fashion-mnist",
      .channels = 1,
      .height = 28,
      .width = 28,
      .class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
      .mean = {0.2860},
      .std = {0.3530},
      .mirror_keeps_class = true};
}

DatasetInfo cifar_info(CifarKind kind) {
  const bool ten = kind == CifarKind::k10;
  DatasetInfo info{.name = ten ? "cifar10" : "cifar100",
                   .channels = 3,
                   .height = 32,
                   .width = 32,
                   .class_names = {},
                   .mean = {0.4914, 0.4822, 0.4465},
                   .std = {0.2470, 0.2435, 0.2616},
                   .mirror_keeps_class = true};
  if (ten) {
    info.class_names = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  } else {
    info.class_names = numbered("class ", 100);
    info.mean = {0.5071, 0.4865, 0.4409};
    info.std = {0.2673, 0.2564, 0.2762};
  }
  return info;
}

}  // namespace vitrail
