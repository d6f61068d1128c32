#include "nn/registration.h"

#include <unordered_set>

#include "autograd/node.h"

namespace vitrail::nn {

void check_registered(const Variable& loss, Module& model) {
  std::unordered_set<const Meta*> registered;
  for (const NamedParameter& p : model.named_parameters()) registered.insert(p.parameter->meta().get());
  std::vector<const Node*> found;
  std::unordered_set<const Node*> seen;
  const auto visit = [&](const Node* node) {
    if (node != nullptr && seen.insert(node).second) found.push_back(node);
  };
  visit(loss.node().get());
  for (size_t i = 0; i < found.size(); ++i) {
    for (const Edge& edge : found[i]->inputs) {
      visit(edge.node.get());
      check(!edge.leaf || registered.count(edge.leaf.get()) > 0, ErrorKind::kValue, "check_registered",
            "a parameter took part in the loss that is not in the model: its shape is ", edge.shape, ", its op is ",
            found[i]->name, ". Hint: call register_module or register_parameter for every member in the constructor of its owner.");
    }
  }
}

}  // namespace vitrail::nn
