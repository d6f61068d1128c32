// The graph below a Variable as a picture: in Graphviz DOT, or as SVG without Graphviz.
//
// Ops are boxes with their output shape, leaves that require a gradient are ellipses with their name, constants are dashed. The
// ops inside a checkpoint are not shown.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "autograd/variable.h"

namespace vitrail {

// The names of leaves. Other leaves are called "leaf".
using LeafNames = std::vector<std::pair<std::string, Variable>>;

std::string to_dot(const Variable& root, const LeafNames& names = {});
std::string to_svg(const Variable& root, const LeafNames& names = {});

// Leaves under the paths of a model's parameters: to_dot(loss, model), for any class with nn::Module's named_parameters().
template <class Model>
  requires requires(Model& model) { model.named_parameters(); }
LeafNames leaf_names(Model& model) {
  LeafNames names;
  for (const auto& entry : model.named_parameters()) names.emplace_back(entry.name, *entry.parameter);
  return names;
}
template <class Model>
  requires requires(Model& model) { model.named_parameters(); }
std::string to_dot(const Variable& root, Model& model) {
  return to_dot(root, leaf_names(model));
}
template <class Model>
  requires requires(Model& model) { model.named_parameters(); }
std::string to_svg(const Variable& root, Model& model) {
  return to_svg(root, leaf_names(model));
}

}  // namespace vitrail
