// The rows of a classification head that another set of classes can keep.
#pragma once

#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

// A head for new classes: weight [C, D], bias [C] (undefined if the old head has none), and where its rows are from.
struct ClassRows {
  Tensor weight, bias;
  std::vector<int64_t> from;  // of each new class: its row in the old head, -1 if the old head does not know it
  int64_t kept() const;       // how many rows are not new
};

// The head of `new_names`: rows of classes whose name the old head has, byte by byte, are copied with their bias; the others
// are zeros, so that training starts from equal logits for all of them. weight [old classes, D], bias [old classes] or
// undefined; old_names[i] is the class of row i. Error(kShape) unless the three fit each other; Error(kValue) if new_names is
// empty or has a name twice, or has a name that the old head has twice, for then no row is the right one. Other names may occur
// twice among the old ones: ImageNet's short names have two cranes.
ClassRows keep_class_rows(const Tensor& weight, const Tensor& bias, const std::vector<std::string>& old_names,
                          const std::vector<std::string>& new_names);

}  // namespace vitrail
